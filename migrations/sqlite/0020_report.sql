-- Reports that are sent by mail: of all websites, those with a tag, or one, every month or every week.

create table report_schedule (
    report_schedule_id blob primary key, -- made of what it is about, so that the same is added once
    account_id         blob not null references account (account_id) on delete cascade,
    channel_id         blob not null references channel (channel_id) on delete cascade,
    scope              text not null, -- all, tag, website
    tag                text,
    website_id         blob references website (website_id) on delete cascade,
    rhythm             text not null, -- monthly, weekly
    made_at            bigint not null,
    sent_until_at      bigint, -- where the last window ends that became an alert; null: none did
    next_at            bigint not null -- when it is looked at next
);
create index report_schedule_by_account on report_schedule (account_id, made_at, report_schedule_id); -- lists
create index report_schedule_next on report_schedule (next_at); -- what is due, over all accounts
create index report_schedule_by_channel on report_schedule (channel_id); -- for its deletion
create index report_schedule_by_website on report_schedule (website_id) where website_id is not null; -- for its deletion
