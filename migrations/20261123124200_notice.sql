-- Notices that say that a message failed and that may turn out wrong: then they are edited.

create table notice (
    login text not null references login (id) on delete cascade deferrable initially deferred,
    ghost text not null,
    -- What it is about: the event id of a message of the person, or a name of a message of the contact.
    about text not null,
    -- The event of the notice itself, once the homeserver has it.
    event text,
    primary key (login, ghost, about)
);
