"""One interface gives client and endpoint; errors, contexts and versions cross between them."""

from __future__ import annotations

import logging
import uuid

import pytest

from novalike import context
from novalike.context import RequestContext
from novalike.exception import BuildFailed, Conflict, NotBuilt, NotFound, NovalikeError, OverQuota, Unavailable
from novalike.objects.secret import Secret
from novalike.rpc import engine, failures, transport
from novalike.rpc.engine import Interface, call
from tests.unit.rpc.interfaces import Office, Parcel, Post, TapeTorn, bare_conf

CTXT = RequestContext(user_id="u", project_id="p", roles=("member",))


@pytest.fixture
def wire():
    built = transport.build(bare_conf(), url=f"inproc://{uuid.uuid4().hex}")
    yield built
    built.cleanup()


@pytest.fixture
def office(wire):
    endpoint = Office()
    server = engine.server(wire, "post", "office", [endpoint])
    server.start()
    yield endpoint
    server.stop()
    server.wait()


@pytest.fixture
def post(wire, office):
    return engine.client(Post, wire)


def test_arguments_and_answers_keep_their_types(post):
    parcel = Parcel(text="hello", secret=Secret("hunter2"), tags=("a",))
    assert post.echo(CTXT, parcel=parcel) == (parcel,)
    assert post.echo(CTXT, parcel=parcel, times=2) == (parcel, parcel)


def test_a_call_that_could_not_be_made_locally_is_not_sent(post):
    with pytest.raises(TypeError, match="parcel"):
        post.echo(CTXT)
    with pytest.raises(TypeError, match="colour"):
        post.echo(CTXT, parcel=Parcel(text=""), colour="red")


def test_the_endpoint_works_for_the_callers_request(post):
    assert post.who(CTXT) == f"office {CTXT.request_id} {CTXT.request_id}"
    assert context.current.get() is None, "nothing is left behind"


def test_our_errors_arrive_as_themselves(post):
    with pytest.raises(NotFound, match="no such parcel") as caught:
        post.fail(CTXT, how="NotFound")
    assert caught.value.details == "shelf 7"
    with pytest.raises(OverQuota) as caught:
        post.fail(CTXT, how="OverQuota")
    assert caught.value.overs == ("parcels", "stamps")
    with pytest.raises(BuildFailed) as caught:
        post.fail(CTXT, how="BuildFailed")
    assert caught.value.retry is False
    with pytest.raises(TapeTorn, match=r"The tape red is torn\.") as caught:
        post.fail(CTXT, how="TapeTorn")
    assert caught.value.length == 3


def test_an_unexpected_error_arrives_without_its_traceback(post):
    with pytest.raises(NovalikeError) as caught:
        post.fail(CTXT, how="KeyError")
    assert type(caught.value) is NovalikeError
    assert "traceback material" not in str(caught.value)
    assert caught.value.details == "KeyError: 'traceback material'"
    assert "Traceback" not in caught.value.details


def test_a_class_unknown_here_arrives_as_the_nearest_family():
    document = failures.dump(TapeTorn("red", length=3))
    document["families"][0] = "OfNextYear"
    error = failures.load(document)
    assert type(error) is Conflict
    assert str(error) == "The tape red is torn."


def test_no_answer_in_time_is_unavailable(post, office):
    office.gate.clear()
    with pytest.raises(Unavailable, match=r"No answer to slow in 0\.3 s"):
        post.slow(CTXT, seconds=1)
    office.gate.set()


def test_a_failing_cast_is_logged(post, office, caplog):
    caplog.set_level(logging.ERROR, logger="novalike")
    post.crash(CTXT, how="KeyError")
    assert office.box.get(timeout=5) == "KeyError"
    post.crash(CTXT, how="NotFound")
    assert office.box.get(timeout=5) == "NotFound"
    post.who(CTXT)                                   # by now both have been logged or never will be
    text = "\n".join(record.getMessage() for record in caplog.records)
    assert "Post.crash failed" in text
    assert "There is no such parcel." in text


def test_a_method_newer_than_the_pin_is_not_sent(wire, office):
    with pytest.raises(NotBuilt, match="pinned"):
        engine.client(Post, wire, version_cap="1.1").new(CTXT)


def test_a_method_which_the_other_side_lacks_is_not_built(wire):
    class Postbox(Interface):
        topic, version = "postbox", "1.0"

        @call(timeout=5)
        def old(self, ctxt: RequestContext) -> int: ...

    class Answers(Postbox):
        def old(self, ctxt):
            return 1

    older = Postbox

    class Postbox(Interface):  # the same name, grown
        topic, version = "postbox", "1.1"

        @call(timeout=5)
        def old(self, ctxt: RequestContext, *, added: int | None = None) -> int: ...

        @call(since="1.1", timeout=5)
        def added(self, ctxt: RequestContext) -> int: ...

    assert engine.definition(Answers) is older
    server = engine.server(wire, "postbox", "a", [Answers()])
    server.start()
    newer = engine.client(Postbox, wire)
    assert newer.old(CTXT) == 1
    assert newer.old(CTXT, added=5) == 1, "an argument the other side does not know is dropped there"
    with pytest.raises(NotBuilt, match="older version"):
        newer.added(CTXT)
    server.stop()
    server.wait()


def test_stop_takes_no_more_and_wait_finishes_what_was_taken(wire):
    office = Office()
    server = engine.server(wire, "post", "closing", [office])
    server.start()
    post = engine.client(Post, wire, server="closing")
    office.gate.clear()
    post.drop(CTXT, parcel=Parcel(text="taken"))
    server.stop()
    office.gate.set()
    server.wait()
    assert office.box.get_nowait().text == "taken"
    post.drop(CTXT, parcel=Parcel(text="too late"))
    assert office.box.empty()
