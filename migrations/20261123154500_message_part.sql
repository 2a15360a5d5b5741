-- The events of a message of the contact that became several: all but the last one, which stands in `message`.

create table message_part (
    login text not null references login (id) on delete cascade deferrable initially deferred,
    ghost text not null,
    remote_id text not null,
    -- In the order in which the room shows them; some may be gone.
    number bigint not null,
    event text not null,
    primary key (login, ghost, remote_id, number)
);
create index message_part_event on message_part (event);
