"""Limits by the generic cell rate algorithm, beside a token bucket that counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchmaking.protocol.rate import Rate, admit, parse_rate


@given(st.lists(st.floats(0, 3), min_size=1, max_size=60), st.integers(1, 8), st.integers(1, 20))
def test_it_admits_what_a_bucket_of_tokens_admits(gaps: list[float], burst: int, per_second: int) -> None:
    rate, arrival, now, tokens = Rate(per_second, burst), 0.0, 1e6, float(burst)
    for gap in gaps:
        now += gap
        tokens = min(burst, tokens + gap * per_second)
        arrival, wait = admit(arrival, rate, now)
        if abs(tokens - 1) > 1e-6:
            assert (wait == 0) == (tokens > 1)
        if wait == 0:
            tokens -= 1
        else:
            assert wait == pytest.approx((1 - tokens) / per_second, abs=1e-4)


def test_who_waits_as_told_is_admitted() -> None:
    rate, now = Rate(2, 1), 1e9
    arrival, _ = admit(0.0, rate, now)
    arrival, wait = admit(arrival, rate, now)
    assert wait == pytest.approx(0.5)
    assert admit(arrival, rate, now + wait)[1] == 0


def test_settings() -> None:
    assert parse_rate("20/100") == Rate(20, 100)
    assert parse_rate("0.5/1") == Rate(0.5, 1)
    assert parse_rate("off") is None
    for text in ("", "20", "0/5", "5/0", "-1/5", "a/b", "1e99/1"):
        with pytest.raises(ValueError):  # noqa: PT011 - some come from float and int
            parse_rate(text)
