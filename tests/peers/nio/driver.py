"""A person in matrix-nio, the second Matrix client that the bridge is tested with.

It has an implementation of its own of everything above the ratchets, and no cross-signing, so it stands
for the older clients that the bridge must serve as well.

One JSON object a line each way. Commands on standard input:

    {"do": "login", "homeserver": URL, "user": LOCALPART, "password": PASSWORD, "store": FOLDER}
    {"do": "open_chat", "with": USER_ID}            -> {"ok": true, "room": ROOM_ID}
    {"do": "join", "room": ROOM_ID}
    {"do": "say", "room": ROOM_ID, "text": TEXT}    -> {"ok": true, "id": EVENT_ID}
    {"do": "send_file", "room": ROOM_ID, "kind": "m.image" or "m.video" or "m.audio" or "m.file",
     "voice": BOOL, "file": {"path": PATH} or {"sample": {"size": BYTES, "seed": NUMBER}}, "name": TEXT,
     "mimetype": TEXT}                -> {"ok": true, "id": EVENT_ID, "size": BYTES, "sha256": HEX}

Each is answered by {"ok": true, ...} or {"ok": false, "error": TEXT}. Events come between the answers:

    {"event": "invited", "room": ROOM_ID, "by": USER_ID}
    {"event": "joined", "room": ROOM_ID, "who": USER_ID}
    {"event": "message", "room": ..., "id": ..., "sender": ..., "kind": "m.text", "body": TEXT,
     "decrypted": BOOL, "verified": BOOL}
        and of an encrypted file also "voice": BOOL, "size": BYTES, "sha256": HEX, which are of the file
        in the clear; or "error": TEXT if it cannot be had or is not what the event says
    {"event": "unreadable", "room": ..., "id": ..., "sender": ...}

The program ends when standard input does.
"""

import asyncio
import hashlib
import json
import random
import sys
from pathlib import Path

from nio import (
    AsyncClient,
    AsyncClientConfig,
    ErrorResponse,
    InviteMemberEvent,
    MegolmEvent,
    RoomEncryptedMedia,
    RoomMemberEvent,
    RoomMessageFormatted,
)
from nio.crypto.attachments import decrypt_attachment

SYNC_TIMEOUT_MS = 3000
# So that a long conversation comes without gaps.
SYNC_FILTER = {"room": {"timeline": {"limit": 1000}}}
# What marks a sound as a voice message.
VOICE = "org.matrix.msc3245.voice"


def tell(**words) -> None:
    print(json.dumps(words), flush=True)


def check(response):
    """The response itself, unless it is an error."""
    if isinstance(response, ErrorResponse):
        raise RuntimeError(str(response))
    return response


def bytes_of(file: dict) -> bytes:
    if "path" in file:
        return Path(file["path"]).read_bytes()
    sample = file["sample"]
    return random.Random(sample["seed"]).randbytes(sample["size"])


def print_of(content: bytes) -> dict:
    """What tells a file from any other."""
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


class Person:
    def __init__(self) -> None:
        self.client: AsyncClient | None = None
        self.syncing: asyncio.Task | None = None
        # Events whose room key had not come yet, by event id.
        self.unreadable: dict[str, MegolmEvent] = {}

    async def login(self, homeserver: str, user: str, password: str, store: str) -> dict:
        config = AsyncClientConfig(encryption_enabled=True, store_sync_tokens=False)
        self.client = AsyncClient(homeserver.rstrip("/"), user, store_path=store, config=config)
        check(await self.client.login(password))
        client = self.client
        client.add_event_callback(self.on_invite, InviteMemberEvent)
        client.add_event_callback(self.on_member, RoomMemberEvent)
        client.add_event_callback(self.on_message, RoomMessageFormatted)
        client.add_event_callback(self.on_file, RoomEncryptedMedia)
        client.add_event_callback(self.on_unreadable, MegolmEvent)
        check(await client.sync(timeout=0, sync_filter=SYNC_FILTER, full_state=True))
        await self.send_due_requests()
        self.syncing = asyncio.create_task(self.sync_forever())
        return {"user": client.user_id, "device": client.device_id}

    async def send_due_requests(self) -> None:
        client = self.client
        if client.should_upload_keys:
            check(await client.keys_upload())
        if client.should_query_keys:
            check(await client.keys_query())
        if client.should_claim_keys:
            check(await client.keys_claim(client.get_users_for_key_claiming()))
        await client.send_to_device_messages()

    async def sync_forever(self) -> None:
        while True:
            try:
                await self.client.sync(timeout=SYNC_TIMEOUT_MS, sync_filter=SYNC_FILTER)
                await self.send_due_requests()
                await self.reread()
            except (OSError, asyncio.TimeoutError, RuntimeError) as error:
                print(f"sync failed, trying again: {error!r}", file=sys.stderr)
                await asyncio.sleep(0.2)

    async def reread(self) -> None:
        """Try the unreadable messages again: a room key may have come after them."""
        for event_id, event in list(self.unreadable.items()):
            try:
                readable = self.client.decrypt_event(event)
            except Exception:  # nio has no common type for "still not"
                continue
            del self.unreadable[event_id]
            room = self.client.rooms[event.room_id]
            if isinstance(readable, RoomEncryptedMedia):
                await self.on_file(room, readable)
            else:
                await self.on_message(room, readable)

    async def on_invite(self, room, event) -> None:
        if event.state_key == self.client.user_id and event.membership == "invite":
            tell(event="invited", room=room.room_id, by=event.sender)

    async def on_member(self, room, event) -> None:
        if event.membership == "join":
            tell(event="joined", room=room.room_id, who=event.state_key)

    async def on_message(self, room, event, **more) -> None:
        tell(
            event="message",
            room=room.room_id,
            id=event.event_id,
            sender=event.sender,
            kind=event.source["content"].get("msgtype", ""),
            body=getattr(event, "body", ""),
            decrypted=event.decrypted,
            verified=event.verified,
            **more,
        )

    async def on_file(self, room, event) -> None:
        voice = VOICE in event.source["content"]
        try:
            encrypted = check(await self.client.download(event.url)).body
            plain = decrypt_attachment(
                encrypted, event.key["k"], event.hashes["sha256"], event.iv
            )
            found = print_of(plain)
        except Exception as error:  # whatever it is, the test should read it, and the sync go on
            found = {"error": repr(error)}
        await self.on_message(room, event, voice=voice, **found)

    async def on_unreadable(self, room, event) -> None:
        self.unreadable[event.event_id] = event
        tell(event="unreadable", room=room.room_id, id=event.event_id, sender=event.sender)

    async def open_chat(self, **words) -> dict:
        encryption = {
            "type": "m.room.encryption",
            "state_key": "",
            "content": {"algorithm": "m.megolm.v1.aes-sha2"},
        }
        created = check(
            await self.client.room_create(
                is_direct=True, invite=[words["with"]], initial_state=[encryption]
            )
        )
        return {"room": created.room_id}

    async def join(self, room: str) -> dict:
        check(await self.client.join(room))
        while room not in self.client.rooms:
            await asyncio.sleep(0.05)
        return {}

    async def say(self, room: str, text: str) -> dict:
        return {"id": await self.send(room, {"msgtype": "m.text", "body": text})}

    async def send_file(
        self, room: str, kind: str, file: dict, name: str, mimetype: str, voice: bool = False
    ) -> dict:
        plain = bytes_of(file)
        uploaded, keys = await self.client.upload(
            # Asked again for each attempt, so each has all of the bytes.
            lambda *_: plain,
            content_type=mimetype,
            filename=name,
            encrypt=True,
            filesize=len(plain),
        )
        content = {
            "msgtype": kind,
            "body": name,
            "filename": name,
            "info": {"mimetype": mimetype, "size": len(plain)},
            "file": {"url": check(uploaded).content_uri, **keys},
        }
        if voice:
            content[VOICE] = {}
        return {"id": await self.send(room, content), **print_of(plain)}

    async def send(self, room: str, content: dict) -> str:
        """Sends a message, and returns its event id."""
        sent = check(
            await self.client.room_send(
                room,
                "m.room.message",
                content,
                # nio knows no cross-signing, so every device is unverified to it.
                ignore_unverified_devices=True,
            )
        )
        return sent.event_id


async def main() -> None:
    person = Person()
    deeds = {
        "login": person.login,
        "open_chat": person.open_chat,
        "join": person.join,
        "say": person.say,
        "send_file": person.send_file,
    }
    lines = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    while line := await lines.readline():
        words = json.loads(line)
        try:
            tell(ok=True, **await deeds[words.pop("do")](**words))
        except Exception as error:  # whatever it is, the test should read it
            tell(ok=False, error=repr(error))
    if person.client is not None:
        person.syncing.cancel()
        await person.client.close()


asyncio.run(main())
