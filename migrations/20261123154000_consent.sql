-- Consent, contact by contact, and the memory of everything that was agreed to.

-- How a login stands to a contact. No row: nothing has happened yet.
create table contact (
    login text not null references login (id) on delete cascade deferrable initially deferred,
    ghost text not null,
    state text not null,
    since bigint not null,
    primary key (login, ghost)
);
create index contact_requested on contact (since) where state = 'requested';

-- Whoever has a chat wanted it.
insert into contact (login, ghost, state, since) select login, ghost, 'approved', 0 from portal;

-- Only ever added to, until the person has it erased. It outlives the login.
create table ledger (
    id bigint not null primary key,
    person text not null,
    login text,
    ghost text,
    act text not null,
    text_version bigint,
    -- The Matrix event by which the person did it.
    cause text,
    at bigint not null
);
create index ledger_person on ledger (person, id);

insert into ledger (id, person, act, text_version, at)
    select row_number() over (order by agreed_at, person), person, 'opted-in', text_version, agreed_at
    from consent;
insert into counter (name, last) select 'ledger', count(*) from consent;
drop table consent;
