"""All tasks, in the order of tables."""

from __future__ import annotations

from bench.restoring_tasks import captcha, digits, files, notes, orientation, recognition, speech
from bench.restoring_tasks.task import Task

TASKS: tuple[Task, ...] = (
    files.TASK,
    orientation.TASK,
    recognition.TASK,
    *digits.TASKS,
    captcha.TASK,
    speech.TASK,
    notes.TASK,
)
