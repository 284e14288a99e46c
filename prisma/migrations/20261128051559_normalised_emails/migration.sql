-- Email addresses are stored as they are compared: NFKC and lower case. Until now only lower case was, so that an
-- address in full-width letters was another one. Addresses that nobody else has are rewritten. Of several that become
-- equal one account gets the address, the one that has it already or else the oldest; the others stay as they are,
-- still log in, and are reported as warnings, which the start prints.
--
-- Decomposed first and composed last, so that only ASCII capitals are left to be lowered: lower() depends on the locale
-- of the database. Addresses with one of the few characters that contain another capital stay as they are.
DO $$
DECLARE
  collision record;
BEGIN
  -- normalize() fails in any other encoding.
  IF getdatabaseencoding() <> 'UTF8' THEN
    RETURN;
  END IF;
  CREATE TEMPORARY TABLE normalised_emails ON COMMIT DROP AS
  SELECT id, created_at, normalised
  FROM users
  CROSS JOIN LATERAL (
    SELECT normalize(
      translate(normalize(email, NFKD), 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz'),
      NFKC)
  ) AS form (normalised)
  WHERE normalised <> email
    AND email !~ '[\u03D2-\u03D4\u03F9\u1D2D\u1D32\u1D3D\u2107\u213E\u213F\u33C0\u33C1\uA7F8\U0001D6A8-\U0001D7CA]';

  UPDATE users SET email = oldest.normalised
  FROM (SELECT DISTINCT ON (normalised) id, normalised FROM normalised_emails ORDER BY normalised, created_at, id) AS oldest
  WHERE users.id = oldest.id
    AND NOT EXISTS (SELECT 1 FROM users AS other WHERE other.email = oldest.normalised);

  FOR collision IN
    SELECT form.id, users.id AS owner
    FROM normalised_emails AS form JOIN users ON users.email = form.normalised
    WHERE users.id <> form.id
    ORDER BY form.id
  LOOP
    RAISE WARNING 'Account % has the same email address as account %, written with other characters. Both still log in with their own; change or delete one of them.',
      collision.id, collision.owner;
  END LOOP;
END $$;
