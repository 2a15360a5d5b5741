-- Of which login's chat a room is or was: by that and the ghost the room's alias is found again, when
-- the chat is gone. Unknown for the bot's rooms, and for those of logins that were gone before.
alter table room add column login text;

update room set login = (
    select portal.login from portal where portal.room = room.id and portal.ghost = room.ghost
);
