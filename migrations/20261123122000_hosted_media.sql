-- What is hosted for the network to fetch: the rows are the truth, and an object of the store
-- without one is on its way or left over. Only ciphertext is hosted; its key is in no table.
create table hosted_media (
    -- The object's name, which nobody can guess: whoever knows it may fetch the ciphertext.
    name text not null primary key,
    login text not null references login (id) on delete cascade deferrable initially deferred,
    length bigint not null,
    hosted_at bigint not null,
    expires_at bigint not null
);
create index hosted_media_login on hosted_media (login);
create index hosted_media_expires_at on hosted_media (expires_at);
