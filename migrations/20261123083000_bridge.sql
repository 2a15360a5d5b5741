-- What the bridge itself keeps. One text for SQLite and PostgreSQL: columns are text, bigint or
-- bytea, and nothing else, because that is what both understand alike.
--
-- Columns whose name ends in _sealed hold nothing that can be read without the master key. No other
-- column may hold a phone number, an id of the other network's people or a secret; rows of remote
-- people are keyed by the ghost's key, which is a keyed hash.

-- Tells whether the configured master key is the one that sealed this database.
create table seal_check (
    name text not null primary key,
    canary_sealed bytea not null
);

-- Ids of queue rows. A row of this table stays locked until its transaction ends, so ids become
-- visible in ascending order; a sequence or a rowid promises that on one of the databases at most.
create table counter (
    name text not null primary key,
    last bigint not null
);
insert into counter (name, last) values ('inbox', 0);
insert into counter (name, last) values ('outbox', 0);

create table setting (
    name text not null primary key,
    value_sealed bytea not null
);

create table consent (
    person text not null primary key,
    text_version bigint not null,
    agreed_at bigint not null
);

create table management_room (
    person text not null primary key,
    -- Whoever writes here commands for `person`: one room never serves two people.
    room text not null unique
);

create table login (
    id text not null primary key,
    -- A person has one enlisted identity at a time.
    person text not null unique,
    network_id_sealed bytea,
    state text not null,
    keys_sealed bytea not null,
    -- Ids of one-time prekeys are never given out twice, even after all of them are spent.
    prekey_last_id bigint not null default 0
);

create table ghost (
    id text not null primary key,
    remote_sealed bytea not null,
    display_name_sealed bytea,
    prepared bigint not null
);

-- Everything below that belongs to a login goes with it. The references also keep a lane that was
-- still at work from writing rows for a login that has just been removed; they are checked at commit
-- so that the order of changes within one commit does not matter.

create table prekey (
    login text not null references login (id) on delete cascade deferrable initially deferred,
    id bigint not null,
    key_sealed bytea not null,
    primary key (login, id)
);

create table portal (
    login text not null references login (id) on delete cascade deferrable initially deferred,
    ghost text not null,
    room text unique,
    primary key (login, ghost)
);

create table session (
    login text not null references login (id) on delete cascade deferrable initially deferred,
    ghost text not null,
    device bigint not null,
    record_sealed bytea not null,
    identity_sealed bytea not null,
    primary key (login, ghost, device)
);

create table message (
    login text not null references login (id) on delete cascade deferrable initially deferred,
    ghost text not null,
    direction text not null,
    remote_id text not null,
    event text,
    -- A number because it is compared: delivery only moves forward.
    delivery bigint not null,
    at bigint not null,
    primary key (login, ghost, remote_id, direction)
);
create index message_event on message (event);

create table retry (
    login text not null references login (id) on delete cascade deferrable initially deferred,
    ghost text not null,
    remote_id text not null,
    asked bigint not null,
    primary key (login, ghost, remote_id)
);

-- What was taken in already. The key is a keyed hash because a stanza's key names its sender.
create table intake (
    key_hash bytea not null primary key,
    login text references login (id) on delete cascade deferrable initially deferred,
    at bigint not null
);
create index intake_at on intake (at);
create index intake_login on intake (login);

create table inbox (
    id bigint not null primary key,
    lane text not null,
    login text references login (id) on delete cascade deferrable initially deferred,
    item_sealed bytea not null,
    received_at bigint not null,
    attempts bigint not null,
    not_before bigint not null,
    -- Set for rows that wait for the operator and no longer for their lane.
    quarantine_reason text
);
create index inbox_waiting on inbox (lane, id) where quarantine_reason is null;
create index inbox_login on inbox (login);

create table outbox (
    id bigint not null primary key,
    destination text not null,
    lane text not null,
    login text references login (id) on delete cascade deferrable initially deferred,
    item_sealed bytea not null,
    attempts bigint not null,
    not_before bigint not null,
    quarantine_reason text
);
create index outbox_waiting on outbox (destination, lane, id) where quarantine_reason is null;
create index outbox_login on outbox (login);
