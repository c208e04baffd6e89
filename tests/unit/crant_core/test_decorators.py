from __future__ import annotations

import inspect
import warnings

import numpy as np
import pytest
import requests

from crant_core import registry
from crant_core.datasets import Dataset
from crant_core.decorators import inject_dataset, parse_neuroncriteria, retry, retry_func
from crant_core.errors import (
    DataMissing,
    InvalidInput,
    NoMatchesError,
    SourceError,
    SourceUnavailable,
    UnknownDataset,
)
from crant_core.sources import attempts
from tests.unit.crant_core.sources.test_failures import http_error

DEMO = Dataset(name="demo", datastack="crant_demo", server="http://127.0.0.1:1", viewer_resolution=(8, 8, 42))


@pytest.fixture(autouse=True)
def empty(monkeypatch):
    monkeypatch.setattr(registry, "_default", None)
    monkeypatch.setattr(registry, "_registered", {})


class TestInjectDataset:
    @staticmethod
    @inject_dataset()
    def named(x, *, dataset=None) -> tuple[object, object]:
        """Say what was given."""
        return x, dataset

    def test_the_default_is_that_of_the_call(self):
        # D1: it was that of the import.
        assert self.named(1) == (1, "latest")
        registry.set_default_dataset("sandbox")
        assert self.named(1) == self.named(1, dataset=None) == (1, "sandbox")

    def test_aliases_become_names_and_unknown_ones_are_refused(self):
        assert self.named(1, dataset="CRANTb") == (1, "latest")
        with pytest.raises(UnknownDataset, match="sandbox"):
            self.named(1, dataset="sandbx")

    def test_a_dataset_stays_one(self):
        assert self.named(1, dataset=DEMO) == (1, DEMO)

    def test_positional_arguments_and_other_names_work(self):
        @inject_dataset(param_name="where")
        def named(x, where=None, *rest: object, **more):
            return x, where, rest, more

        assert named(1, "crantb", 2, y=3) == (1, "latest", (2,), {"y": 3})
        assert named(1) == (1, "latest", (), {})

    def test_only_some_datasets(self):
        allowed = inject_dataset(allowed=["crantb", "sandbox"])(lambda dataset=None: dataset)
        disallowed = inject_dataset(disallowed="crantb")(lambda dataset=None: dataset)
        assert allowed("sandbox") == disallowed("sandbox") == "sandbox"
        with pytest.raises(InvalidInput, match="it works with latest, sandbox"):
            allowed("v1dd")
        with pytest.raises(InvalidInput, match="it does not work with latest"):
            disallowed("kronauer_ant")

    def test_names_of_datasets_need_not_be_known_before_the_call(self):
        named = inject_dataset(allowed="demo")(lambda dataset=None: dataset)
        registry.register(DEMO)
        assert named("demo") == "demo"

    def test_a_function_without_the_parameter_is_refused_at_once(self):
        with pytest.raises(InvalidInput, match="no parameter dataset"):
            inject_dataset()(lambda x: x)

    def test_missing_arguments_are_still_missing_and_the_function_keeps_its_name(self):
        with pytest.raises(TypeError, match="'x'"):
            self.named()
        assert self.named.__doc__ == "Say what was given."
        assert list(inspect.signature(self.named).parameters) == ["x", "dataset"]


class Criteria:
    def __init__(self, roots=(), is_empty=False) -> None:
        self._roots, self.is_empty = roots, is_empty

    def get_roots(self):
        if not len(self._roots):
            raise NoMatchesError("no neuron is so")
        return np.array(self._roots, dtype=np.int64)


class TestParseNeuroncriteria:
    def test_criteria_become_ids_wherever_they_stand(self):
        seen = parse_neuroncriteria()(lambda *args, **kwargs: (args, kwargs))
        args, kwargs = seen(1, Criteria([5, 2**62 + 1]), x=Criteria([7]), y="text")
        assert args[0] == 1
        assert (args[1].tolist(), args[1].dtype) == ([5, 2**62 + 1], np.int64)
        assert (kwargs["x"].tolist(), kwargs["y"]) == ([7], "text")

    def test_criteria_that_match_nothing_are_an_error_unless_that_is_allowed(self):
        with pytest.raises(NoMatchesError):
            parse_neuroncriteria()(lambda x: x)(Criteria())
        found = parse_neuroncriteria(allow_empty=True)(lambda x: x)(Criteria())
        assert (found.shape, found.dtype) == ((0,), np.int64)

    def test_criteria_that_say_nothing_are_an_error(self):
        for allow_empty in (False, True):
            with pytest.raises(InvalidInput, match="all neurons"):
                parse_neuroncriteria(allow_empty)(lambda x: x)(Criteria([5], is_empty=True))


class Failing:
    """A function that raises some errors and then answers."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors, self.calls = list(errors), 0
        self.__name__ = "failing"

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


class TestRetry:
    @pytest.fixture(autouse=True)
    def slept(self, monkeypatch):
        slept: list[float] = []
        monkeypatch.setattr(attempts.time, "sleep", slept.append)
        return slept

    @pytest.mark.parametrize(
        "error",
        [
            http_error(500),
            http_error(503),
            http_error(429),
            requests.ConnectionError(),
            requests.ReadTimeout(),
            requests.exceptions.ChunkedEncodingError(),
            SourceUnavailable(),
            DataMissing(),
        ],
        ids=repr,
    )
    def test_what_may_pass_is_tried_again_a_little_later_each_time(self, error, slept):
        failing = Failing(error, error, error, error)
        assert retry(failing)() == "answer"
        assert failing.calls == 5
        assert slept == [2, 4, 6, 8]

    @pytest.mark.parametrize(
        "error",
        [
            http_error(400),
            http_error(401),
            http_error(404),
            requests.exceptions.InvalidURL(),
            requests.exceptions.MissingSchema(),
            requests.TooManyRedirects(),
            SourceError(),
            InvalidInput(),
            ValueError(),
            KeyboardInterrupt(),
        ],
        ids=repr,
    )
    def test_what_will_not_pass_is_raised_at_once(self, error, slept):
        # D5: a 400 was repeated for 20 seconds.
        failing = Failing(error)
        with pytest.raises(type(error)):
            retry(failing)()
        assert (failing.calls, slept) == (1, [])

    def test_the_last_error_is_raised(self, slept):
        failing = Failing(*[requests.ReadTimeout(str(n)) for n in range(3)])
        with pytest.raises(requests.ReadTimeout, match="2"):
            retry(failing, retries=3, cooldown=1)()
        assert (failing.calls, slept) == (3, [1, 2])

    def test_as_a_decorator(self, slept):
        failing = Failing(requests.ReadTimeout())

        @retry_func(retries=2, cooldown=0.5)
        def ask():
            """Ask."""
            return failing()

        assert (ask(), ask.__doc__, slept) == ("answer", "Ask.", [0.5])

    def test_warnings_are_not_hidden(self):
        # P10: they were, for all threads.
        def warning():
            warnings.warn("seen", UserWarning, stacklevel=1)

        with pytest.warns(UserWarning, match="seen"):
            retry(warning)()

    @pytest.mark.parametrize("retries", [0, -1])
    def test_no_call_at_all_is_refused(self, retries):
        with pytest.raises(InvalidInput):
            retry(Failing(), retries=retries)
