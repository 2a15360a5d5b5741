-- Which number a ghost was looked up for. Who asked is not known, and nobody asked the network: a row says nothing of
-- whether the number has WhatsApp. Rows go after a day.

create table lookup (
    ghost text not null primary key,
    phone_sealed bytea not null,
    at bigint not null
);
create index lookup_at on lookup (at);
