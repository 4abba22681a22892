-- What a worker's canaries say about its own network, and how many failures it did not count because of them.
alter table worker
    add column network text   not null default 'unasked',
    add column excused bigint not null default 0;
