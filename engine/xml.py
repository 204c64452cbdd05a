"""Reading XML that people upload: no DOCTYPE, no entities, no network, five megabytes at most."""

from __future__ import annotations

import re

from lxml import etree

from engine.exceptions import DefinitionError, Problem

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
SPIFF = "http://spiffworkflow.org/bpmn/schema/1.0/core"
NAMESPACES = {"bpmn": BPMN, "spiff": SPIFF}
BIGGEST = 5 * 1024 * 1024
_DOCTYPE = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)


def read(name: str, content: bytes) -> etree._Element:
    """The root element of one file; DefinitionError when it is too big, has a DOCTYPE or is not XML."""
    if len(content) > BIGGEST:
        raise _refused(name, "too_big", "the file is larger than 5 MB")
    if _DOCTYPE.search(content):
        raise _refused(name, "doctype", "a DOCTYPE or entity declaration is refused")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False, remove_pis=True
    )
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _refused(name, "not_xml", f"cannot be read as XML: {error}") from None
    # Another encoding (UTF-16) can hide the word from the search in the bytes above.
    if root.getroottree().docinfo.doctype or root.getroottree().docinfo.internalDTD is not None:
        raise _refused(name, "doctype", "a DOCTYPE or entity declaration is refused")
    return root


def tag(node: etree._Element) -> str:
    """The local name of a BPMN element, "" for anything of another namespace (or a comment)."""
    if not isinstance(node.tag, str):
        return ""
    name = etree.QName(node)
    return name.localname if name.namespace == BPMN else ""


def find(node: etree._Element, path: str) -> list[etree._Element]:
    return node.xpath(path, namespaces=NAMESPACES)


def text(node: etree._Element | None) -> str:
    return (node.text or "").strip() if node is not None else ""


def _refused(name: str, code: str, message: str) -> DefinitionError:
    return DefinitionError([Problem(name, code, message)])
