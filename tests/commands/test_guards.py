"""Bodies that don't come: a server of messages in place of a real one."""

import asyncio

import pytest

from keras_cyclegan.commands.guards import UploadLimits

PART = {"type": "http.request", "body": b"x", "more_body": True}
LAST = {"type": "http.request", "body": b"x", "more_body": False}
GONE = {"type": "http.disconnect"}


async def app(scope, receive, send):
    """Reads the body, as starlette does, and says how long it is."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the browser is gone")
        body += message["body"]
        if not message.get("more_body"):
            break
    if body == b"bad":
        raise ZeroDivisionError
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": str(len(body)).encode()})
    assert (await receive())["type"] == "http.disconnect"  # however late that comes


def request(limits, messages, method="POST"):
    """What is answered to `messages`, numbers among them being seconds without one."""
    answered, left = [], list(messages)

    async def receive():
        while left and isinstance(left[0], float):
            await asyncio.sleep(left.pop(0))
        return left.pop(0) if left else await asyncio.sleep(600)

    async def send(message):
        answered.append(message.get("status") or message["body"].decode())

    async def ask():
        await limits({"type": "http", "method": method}, receive, send)
        return answered

    return ask()


def limits(**options):
    return UploadLimits(app, **{"pause": 0.05, "whole": 0.3, **options})


def test_a_body_that_comes_is_read_and_what_follows_may_take_its_time():
    one = limits()
    assert asyncio.run(request(one, [PART, 0.01, PART, LAST, 0.2, GONE])) == [200, "3"]
    assert one.under_way == 0


def test_a_body_that_stops_is_given_up():
    one = limits()
    answered = asyncio.run(request(one, [PART, PART, 0.2, LAST]))
    assert answered == [408, "The upload took too long."]
    assert one.under_way == 0


def test_a_body_that_drips_is_given_up():
    answered = asyncio.run(request(limits(), [PART, 0.04] * 30))
    assert answered == [408, "The upload took too long."]


def test_who_goes_away_is_no_error():
    one = limits()
    assert asyncio.run(request(one, [PART, GONE])) == []
    assert one.under_way == 0


def test_so_many_at_once_and_no_more():
    one = limits(at_once=3)

    async def together():
        slow = [request(one, [PART, 0.03, LAST, 0.0, GONE]) for _ in range(5)]
        seen = request(one, [LAST, GONE], method="GET")  # has no body to wait for
        return await asyncio.gather(*slow, seen)

    statuses = [answered[0] for answered in asyncio.run(together())]
    assert sorted(statuses[:5]) == [200, 200, 200, 503, 503]
    assert statuses[5] == 200
    assert one.under_way == 0
    assert asyncio.run(request(one, [LAST, GONE])) == [200, "1"]


def test_an_error_behind_a_whole_body_is_one():
    with pytest.raises(ZeroDivisionError):
        asyncio.run(request(limits(), [{**LAST, "body": b"bad"}]))
