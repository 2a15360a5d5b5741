-- In which order the messages of a chat came, so that "read up to here" has a meaning: clocks may be set back, and two
-- messages may share a millisecond.

alter table message add column place bigint not null default 0;
create index message_place on message (login, ghost, place);
-- What the contact has not been told yet of having been read: short, however long the chat is.
create index message_unread on message (login, ghost, place) where direction = 'to_matrix' and delivery < 3;
