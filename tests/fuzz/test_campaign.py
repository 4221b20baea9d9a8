# SPDX-License-Identifier: Apache-2.0
"""A run over many seeds notices what it is there for."""

from tests.fuzz import campaign, deaths


def test_a_process_that_dies_or_hangs_is_a_finding_and_the_other_seeds_still_run(tmp_path, monkeypatch):
    monkeypatch.setattr(campaign, "HANGS_SECONDS", 2)
    report = campaign.run("deaths", range(10), tmp_path, processes=2)
    assert report.done == 10
    assert report.statuses == {"equal": 7, "wrong": 3}
    assert set(report.wrong) == {deaths.ABORTS, deaths.RAISES, deaths.SLEEPS}
    assert "exit code -6" in report.wrong[deaths.ABORTS]
    assert "hangs for more than 2 s" in report.wrong[deaths.SLEEPS]
    assert "ZeroDivisionError: seed 6" in report.wrong[deaths.RAISES]
    assert "seed 3: ended its process" in str(report)
