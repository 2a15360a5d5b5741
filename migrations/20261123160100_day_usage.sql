-- What a person did on a day (of UTC, counted from 1970-01-01), for the limits that the operator set.

create table day_usage (
    person text not null,
    day bigint not null,
    what text not null,
    amount bigint not null,
    primary key (person, day, what)
);
