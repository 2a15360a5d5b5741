-- The Matrix keys of our own users: what matrix-sdk-crypto asks of a `CryptoStore`.
--
-- `owner` is the user id and the device id of one of our devices. Ids of rooms, users, devices and
-- public keys are in clear because rows are found by them; everything that they stand for is sealed.

-- One value of which an owner has one: the account, the cross-signing keys, tokens, custom values.
create table key_value (
    owner text not null,
    name text not null,
    value_sealed bytea not null,
    primary key (owner, name)
);

-- One value of a room: outbound session, settings, withheld notices by session, key bundles by
-- sender. `item` is empty where a room has one of its kind.
create table key_room_value (
    owner text not null,
    kind text not null,
    room text not null,
    item text not null,
    value_sealed bytea not null,
    primary key (owner, kind, room, item)
);

create table key_olm_session (
    owner text not null,
    sender_key text not null,
    session_id text not null,
    session_sealed bytea not null,
    primary key (owner, sender_key, session_id)
);

-- An Olm message that was decrypted once is never accepted again.
create table key_olm_message (
    owner text not null,
    sender_key text not null,
    hash text not null,
    primary key (owner, sender_key, hash)
);

create table key_inbound_session (
    owner text not null,
    room text not null,
    session_id text not null,
    sender_key text not null,
    sender_data_type bigint not null,
    -- The backup version that holds the session, if one does.
    backup_version text,
    session_sealed bytea not null,
    primary key (owner, room, session_id)
);
create index key_inbound_session_sender
    on key_inbound_session (owner, sender_key, sender_data_type, session_id);

create table key_device (
    owner text not null,
    user_id text not null,
    device_id text not null,
    device_sealed bytea not null,
    primary key (owner, user_id, device_id)
);

create table key_identity (
    owner text not null,
    user_id text not null,
    identity_sealed bytea not null,
    primary key (owner, user_id)
);

create table key_tracked_user (
    owner text not null,
    user_id text not null,
    -- The user part of `owner`: whose machine is to hear of changes.
    owner_user text not null,
    dirty bigint not null,
    primary key (owner, user_id)
);
create index key_tracked_user_user on key_tracked_user (user_id);

create table key_secret_request (
    owner text not null,
    request_id text not null,
    -- What is asked for, as the library names it.
    about text not null,
    sent bigint not null,
    request_sealed bytea not null,
    primary key (owner, request_id)
);
create index key_secret_request_about on key_secret_request (owner, about);

create table key_secret (
    owner text not null,
    name text not null,
    -- A keyed hash of the secret: the same one is kept once.
    digest bytea not null,
    secret_sealed bytea not null,
    primary key (owner, name, digest)
);

create table key_lease (
    owner text not null,
    name text not null,
    holder text not null,
    generation bigint not null,
    expires_at bigint not null,
    primary key (owner, name)
);
