-- The wish to be erased, and what has to be found for it when the login and its chats are gone.

create table erasure (
    person text not null primary key,
    asked_at bigint not null,
    -- When the network had forgotten the person and our users had left every room of theirs.
    left_at bigint
);

-- Every room in which one of our users meets a person. It outlives chats and logins, so that the room
-- can be left and its keys can be deleted.
create table room (
    id text not null,
    person text not null,
    -- Empty if it is the bot.
    ghost text not null,
    primary key (id, person, ghost)
);
create index room_person on room (person);

insert into room (id, person, ghost)
    select portal.room, login.person, portal.ghost from portal join login on login.id = portal.login
    where portal.room is not null;
insert into room (id, person, ghost) select room, person, '' from management_room;

-- Whose contact a ghost is.
create index room_ghost on room (ghost);
create index ledger_ghost on ledger (ghost);
create index contact_ghost on contact (ghost);
create index portal_ghost on portal (ghost);

-- What keys are of a person, or of a room, whoever has them.
create index key_room_value_room on key_room_value (room);
create index key_inbound_session_room on key_inbound_session (room);
create index key_inbound_session_key on key_inbound_session (sender_key);
create index key_olm_session_key on key_olm_session (sender_key);
create index key_olm_message_key on key_olm_message (sender_key);
create index key_device_user on key_device (user_id);
create index key_identity_user on key_identity (user_id);
