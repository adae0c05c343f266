"""Items from other threads wait in a bounded queue; those that are dropped are counted."""

import threading

from edge.service.mailbox import Mailbox


def test_a_full_mailbox_drops_the_oldest_and_counts_them():
    box = Mailbox(3, threading.Event())
    for item in range(5):
        box.put(item)
    assert (box.drain(), box.dropped) == ([2, 3, 4], 2)
    assert box.drain() == []


def test_a_mailbox_is_bounded_in_bytes_too():
    box = Mailbox(100, threading.Event(), most_bytes=1000)
    for item in range(20):
        box.put(item, 300)
    assert (box.drain(), box.dropped) == ([17, 18, 19], 17)
    box.put("small again", 300)
    assert box.drain() == ["small again"]


def test_an_item_larger_than_the_mailbox_is_dropped():
    box = Mailbox(100, threading.Event(), most_bytes=1000)
    box.put("huge", 2000)
    assert (box.drain(), box.dropped) == ([], 1)


def test_each_item_of_many_threads_is_taken_or_counted_as_dropped():
    box = Mailbox(50, threading.Event())
    threads = [threading.Thread(target=lambda: [box.put(i) for i in range(1000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    taken = []
    while any(thread.is_alive() for thread in threads):
        taken += box.drain()
    taken += box.drain()
    assert len(taken) + box.dropped == 4000


def test_a_flood_of_one_sender_does_not_push_out_what_others_sent():
    box = Mailbox(10, threading.Event(), 1000)
    box.put("honest", 5, "a")
    for i in range(100):
        box.put(i, 5, "b")
    assert box.take(3) == ["honest", 91, 92]
    assert box.drain() == list(range(93, 100))
    assert box.dropped == 91


def test_what_is_not_taken_keeps_the_reader_awake():
    wake = threading.Event()
    box = Mailbox(10, wake)
    box.put(1)
    box.put(2)
    wake.clear()
    assert box.take(1) == [1]
    assert wake.is_set()
    wake.clear()
    assert box.take(5) == [2]
    assert not wake.is_set()
