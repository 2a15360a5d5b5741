-- What a person wants their contacts to see. No row: what a new login has.

create table choices (
    login text not null primary key references login (id) on delete cascade deferrable initially deferred,
    read_receipts bigint not null,
    typing bigint not null
);
