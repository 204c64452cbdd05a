"""BPMN 2.0 as a pure step: ``step(definition, state, stimulus, now, verbs) -> Outcome``. No database, no I/O.

Only this package knows SpiffWorkflow. Whoever uses it stores ``Outcome.state`` and the lists beside it.
"""
