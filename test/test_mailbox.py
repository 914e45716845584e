"""The mailbox: newest item only, every item either read or reported overwritten."""

import queue
import threading

from erd_ros.ros.mailbox import Mailbox


def test_reader_gets_the_newest_item_only():
    mailbox = Mailbox()
    assert mailbox.put("first") is False
    assert mailbox.put("second") is True
    assert mailbox.get(0) == "second"
    assert mailbox.get(0) is None
    assert mailbox.put("third") is False


def test_a_waiting_reader_wakes_for_an_item_and_for_the_end():
    mailbox, seen = Mailbox(), queue.Queue()
    reader = threading.Thread(target=lambda: [seen.put(mailbox.get(10)) for _ in range(2)])
    reader.start()
    mailbox.put("item")
    assert seen.get(timeout=10) == "item"
    mailbox.close()
    assert seen.get(timeout=10) is None
    assert mailbox.closed


def test_closing_throws_away_what_was_not_read():
    mailbox = Mailbox()
    mailbox.put("item")
    mailbox.close()
    assert mailbox.get() is None


def test_nothing_is_lost_between_threads_without_being_counted():
    mailbox, read = Mailbox(), []
    overwritten = [0, 0]
    items_per_writer = 2000

    def write(writer):
        for number in range(items_per_writer):
            overwritten[writer] += mailbox.put((writer, number))

    def read_all():
        while (item := mailbox.get(1)) is not None:
            read.append(item)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(2)]
    reader = threading.Thread(target=read_all)
    for thread in [*threads, reader]:
        thread.start()
    for thread in [*threads, reader]:
        thread.join(30)
    assert len(read) + sum(overwritten) == 2 * items_per_writer
    for writer in range(2):
        numbers = [number for who, number in read if who == writer]
        assert numbers == sorted(numbers)
    assert (0, items_per_writer - 1) in read or (1, items_per_writer - 1) in read
