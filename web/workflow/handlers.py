"""The job topics of this room: message.deliver, workflow.timer, workflow.complete, workflow.retry."""

from web.workflow.services import messages, timers

__all__ = ["messages", "timers"]
