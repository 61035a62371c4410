"""The one error a person sees: a line that says what is wrong."""

from collections.abc import Iterator
from contextlib import contextmanager


class Failure(Exception):
    """Printed as ``dispatch: message``; the program ends with 1."""


@contextmanager
def failing(*expected: type[Exception]) -> Iterator[None]:
    """Turn the expected errors of the body, also from inside a task group, into a Failure."""
    try:
        yield
    except BaseExceptionGroup as group:
        first = _first(group, expected)
        if first is None:
            raise
        raise Failure(str(first)) from group
    except expected as error:
        raise Failure(str(error)) from error


def _first(group: BaseExceptionGroup[BaseException], expected: tuple[type[Exception], ...]) -> BaseException | None:
    for error in group.exceptions:
        found = _first(error, expected) if isinstance(error, BaseExceptionGroup) else error
        if isinstance(found, expected):
            return found
    return None
