-- Which messages are reactions to which, so that they can be changed and taken back. The emoji is nowhere: it is in the events and messages themselves.

create table reaction (
    login text not null references login (id) on delete cascade deferrable initially deferred,
    ghost text not null,
    -- Which way the reaction went: towards the network it is the person's, towards Matrix the contact's.
    direction text not null,
    -- The remote id of the message that it is for.
    target text not null,
    -- The remote id of the message that it is.
    remote_id text not null,
    -- 1 for the latest one of its side; older ones are only known to have been reactions.
    is_current bigint not null,
    primary key (login, ghost, direction, remote_id)
);
create index reaction_target on reaction (login, ghost, direction, target);
