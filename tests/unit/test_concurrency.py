import subprocess
import threading
import time

import pytest

from novalike.concurrency import NativeQueue, native_thread


def test_items_of_a_native_thread_wake_the_reader():
    items: NativeQueue[int] = NativeQueue()

    def produce() -> None:
        for number in range(2000):
            items.put(number)

    native_thread(produce, name="producer")
    assert [items.get(timeout=5) for _ in range(2000)] == list(range(2000))
    items.close()


def test_get_gives_up_after_its_timeout():
    items: NativeQueue[int] = NativeQueue()
    began = time.monotonic()
    assert items.get(timeout=0.05) is None
    assert 0.04 < time.monotonic() - began < 2
    items.close()


def test_other_threads_go_on_while_one_waits():
    items: NativeQueue[str] = NativeQueue()
    got: list[str | None] = []
    reader = threading.Thread(target=lambda: got.append(items.get(timeout=5)))
    reader.start()
    time.sleep(0.01)
    items.put("now")
    reader.join(5)
    assert got == ["now"]
    items.close()


def test_a_process_which_takes_too_long_raises_what_everybody_expects():
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(["sleep", "10"], timeout=0.1, capture_output=True, check=False)
