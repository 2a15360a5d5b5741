-- Which process works with the database, and since when: one row at most. That it lives is not said here, but by a lock
-- that dies with it.

create table lease (
    name text not null primary key,
    -- At random, at each start.
    holder text not null,
    -- For people.
    holder_name text not null,
    since bigint not null,
    -- Written, and emptied again, to see whether there is room on the disk after there was none.
    ballast bytea
);
