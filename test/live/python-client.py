# A NATS client in Python: connects by NATS_URL, with the tokens of NATS_TOKENS (one a connect) where the URL has none, and sends
# itself a message over NATS_SUBJECT as often as it connects. Prints what happens to it.
import asyncio
import os

import nats


async def main():
    tokens = os.environ.get("NATS_TOKENS", "").split()
    subject = os.environ["NATS_SUBJECT"]
    reconnected = asyncio.Event()
    closed = asyncio.Event()

    async def on_reconnect():
        print("reconnected")
        reconnected.set()

    async def on_error(error):
        print("error", error)

    async def on_closed():
        print("closed")
        closed.set()

    options = {"token": lambda: tokens.pop(0)} if tokens else {}
    client = await nats.connect(
        os.environ["NATS_URL"],
        reconnected_cb=on_reconnect,
        error_cb=on_error,
        closed_cb=on_closed,
        allow_reconnect=bool(tokens),
        reconnect_time_wait=0.1,
        **options,
    )
    print("connected")
    messages = await client.subscribe(subject)
    await client.publish(subject, b"hello")
    print((await messages.next_msg(timeout=10)).data.decode())
    if tokens:
        ends = [asyncio.create_task(reconnected.wait()), asyncio.create_task(closed.wait())]
        await asyncio.wait(ends, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        await client.publish(subject, b"still here")
        print((await messages.next_msg(timeout=10)).data.decode())
    await client.close()


async def run():
    try:
        await main()
    except Exception as error:
        print("failed", repr(error))


asyncio.run(run())
