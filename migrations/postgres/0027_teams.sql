-- Teams: who beside its owner may see and change what an account has. An account is a person with a password, and his own team
-- of one; further teams are accounts that nobody can sign in to.

-- is_team: nobody signs in; username is the team's name, username_key team/<uuid>, and no password fits the hash. To hubs that
-- know of no teams it is somebody who came while sign-ups were open, and never comes back.
alter table account add column is_team boolean not null default false;
-- An operator's invitation let him in: no stranger to the owner's network, and no operator.
alter table account add column vouched boolean not null default false;
-- Since when it is being deleted: nobody gets in any more, nothing of it is checked, and hubs delete its rows step by step.
alter table account add column ending_at bigint;
create index account_ending on account (ending_at) where ending_at is not null;

-- Whoever an account belongs to is its owner without a row.
create table member (
    account_id uuid not null references account (account_id) on delete cascade, -- the team
    person_id  uuid not null references account (account_id) on delete cascade,
    role       text not null, -- owner, editor, viewer
    since_at   bigint not null,
    primary key (account_id, person_id)
);
create index member_by_person on member (person_id, account_id); -- the teams of a person

-- Links that make whoever follows one a member, once. Its row goes when it is used.
create table invitation (
    invitation_id  uuid primary key,
    invitation_key bytea not null constraint invitation_key unique, -- SHA-256 of what is in the link
    account_id     uuid not null references account (account_id) on delete cascade,
    role           text not null,
    made_by        uuid not null references account (account_id) on delete cascade,
    made_at        bigint not null,
    ends_at        bigint not null
);
create index invitation_by_account on invitation (account_id, made_at, invitation_id); -- lists
create index invitation_by_maker on invitation (made_by); -- for his deletion

-- Which team the person looks at; null: his own. That he is a member is looked at with every request. No
-- reference: that the team is gone must be seen, or what he does next would be done to his own things.
alter table session add column acting_for uuid;
