"""The number of CPUs is known on every system."""

import os

import pytest

from ubg.runtime.cpus import usable_cpus


def test_only_those_count_that_this_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {2, 5, 6}, raising=False)
    assert usable_cpus() == 3


@pytest.mark.parametrize(("there_are", "usable"), [(8, 8), (None, 1)])
def test_all_count_where_the_system_does_not_tell(monkeypatch, there_are, usable):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: there_are)
    assert usable_cpus() == usable
