-- One hub owns this file: nobody else needs to be told of changes, and nothing is claimed.

-- Websites that have been down for long are checked less often; the scheduler asks which.
create index website_state_down on website_state (since_at) where verdict = 'down';
