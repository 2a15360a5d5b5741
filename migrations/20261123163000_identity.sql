-- What people want to happen when a contact's identity key changes, and what they said of such keys.

alter table choices add column identity_changes text not null default 'notify';

-- No row: every key is the one that its session knows.
create table contact_keys (
    login text not null references login (id) on delete cascade deferrable initially deferred,
    ghost text not null,
    -- Counts the writes.
    version bigint not null,
    keys_sealed bytea not null,
    primary key (login, ghost)
);
