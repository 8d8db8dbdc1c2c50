-- Why SendGrid refused a request, without addresses; null in requests of earlier versions, and where SendGrid gave no reason.
ALTER TABLE step ADD COLUMN why TEXT;

-- Recipients for whose sake a request was refused. The other recipients of that request were not mailed either, but not refused:
-- their request ends as abandoned, and they are asked for again.
CREATE TABLE refusal (
    claim_id INTEGER PRIMARY KEY REFERENCES claim (id),
    why      TEXT NOT NULL                         -- SendGrid's reason, without addresses
);

DROP VIEW sendgrid_send;

-- One row for each recipient and state, as people ask.
CREATE VIEW sendgrid_send AS
SELECT c.id, r.name AS run, lower(hex(c.email_hash)) AS email_hash, c.key_id, c.recipient, q.request, c.attempt,
       CASE WHEN s.state = 'abandoned' AND f.claim_id IS NOT NULL THEN 'refused' ELSE s.state END AS state,
       s.message_id, q.categories AS category, s.at, s.code,
       CASE WHEN s.state = 'abandoned' AND f.claim_id IS NOT NULL THEN f.why ELSE s.why END AS why
FROM claim AS c
JOIN run AS r ON r.id = c.run_id
JOIN request AS q ON q.id = c.request_id
JOIN step AS s ON s.request_id = q.id
LEFT JOIN refusal AS f ON f.claim_id = c.id;
