-- The words by which texts are found, in PL/pgSQL, with the results of `search_normal_form` and `search_vector`. PostgreSQL
-- before 18 plans the query of an SQL function in each transaction that calls it, which took a millisecond for each of the
-- three texts of a turn; it keeps the plans of PL/pgSQL for as long as a connection lives. Texts of ASCII only, which most
-- are, also skip what cannot apply to them.

CREATE FUNCTION search_form(body text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  form text := left(body, 40000);
  is_utf8 boolean := getdatabaseencoding() = 'UTF8';
BEGIN
  -- In other encodings, a character of one byte may be any letter.
  IF is_utf8 AND octet_length(form) = length(form) THEN
    RETURN regexp_replace(lower(form), '[\u0001-\u002F\u003A-\u0040\u005B-\u0060\u007B-\u007F]+', ' ', 'g');
  END IF;
  IF is_utf8 THEN
    form := (
      SELECT left(coalesce(string_agg(
        normalize(
          regexp_replace(
            normalize(substr(form, piece, 256), NFKD),
            '[\u00AD\u0300-\u036F\u0483-\u0487\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7\u064B-\u065F\u1AB0-\u1AFF\u1DC0-\u1DFF\u200B-\u200D\u20D0-\u20FF\uFE00-\uFE0F\uFE20-\uFE2F]+',
            '', 'g'),
          NFC),
        '' ORDER BY piece), ''), 40000)
      FROM generate_series(1, length(form), 256) AS pieces (piece)
    );
  END IF;
  form := regexp_replace(
    regexp_replace(
      regexp_replace(regexp_replace(form, '[\u0110\u0111]', 'd', 'g'), '[\u0141\u0142]', 'l', 'g'),
      '[\u00D8\u00F8]', 'o', 'g'),
    '\u0131', 'i', 'g');
  form := regexp_replace(
    lower(form),
    '[\u0001-\u002F\u003A-\u0040\u005B-\u0060\u007B-\u00BF\u00D7\u00F7\u2000-\u206F\u2190-\u2BFF\u2E00-\u2E7F\u3000-\u3004\u3008-\u3020\u3030\u303D\u30FB\uFE10-\uFE1F\uFE30-\uFE6F\uFF00-\uFF0F]+',
    ' ', 'g');
  RETURN regexp_replace(
    form,
    '([\u2E80-\u2FDF\u3005-\u3007\u3021-\u302F\u3031-\u303C\u3041-\u30FA\u30FC-\u318F\u31A0-\u4DBF\u4E00-\u9FFF\uA960-\uA97F\uAC00-\uD7FF\uF900-\uFAFF\U00016FE0-\U00018DFF\U0001AFF0-\U0001B16F\U00020000-\U0003FFFF]+)',
    ' \1 ', 'g');
END $$;

CREATE FUNCTION search_words_vector(owner uuid, body text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 5000 SET search_path FROM CURRENT AS $$
DECLARE
  form text := search_form(body);
  mark text := right(owner::text, 6);
  words text[];
BEGIN
  words := string_to_array(form, ' ');
  IF octet_length(form) <> length(form) OR getdatabaseencoding() <> 'UTF8' THEN
    -- Pairs of characters that have no spaces between them, then each of them by itself.
    words := search_words(form) || string_to_array(
      regexp_replace(
        form,
        '([\u2E80-\u2FDF\u3005-\u3007\u3021-\u302F\u3031-\u303C\u3041-\u30FA\u30FC-\u318F\u31A0-\u4DBF\u4E00-\u9FFF\uA960-\uA97F\uAC00-\uD7FF\uF900-\uFAFF\U00016FE0-\U00018DFF\U0001AFF0-\U0001B16F\U00020000-\U0003FFFF])',
        '\1 ', 'g'),
      ' ');
  END IF;
  RETURN (
    SELECT array_to_tsvector(array_agg(mark || left(word, 64)))
    FROM unnest(words) AS found (word)
    WHERE word <> ''
  );
END $$;

CREATE FUNCTION index_message_words() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  its_words tsvector := search_words_vector(NEW.user_id, NEW.content);
BEGIN
  IF its_words IS NULL THEN
    DELETE FROM message_words WHERE message_id = NEW.id;
  ELSE
    INSERT INTO message_words (message_id, user_id, conversation_id, position, words)
    VALUES (NEW.id, NEW.user_id, NEW.conversation_id, NEW.position, its_words)
    ON CONFLICT (message_id) DO UPDATE SET words = excluded.words;
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION index_title_words() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  its_words tsvector := search_words_vector(NEW.user_id, NEW.title);
BEGIN
  IF its_words IS NULL THEN
    DELETE FROM title_words WHERE conversation_id = NEW.id;
  ELSE
    INSERT INTO title_words (conversation_id, user_id, words)
    VALUES (NEW.id, NEW.user_id, its_words)
    ON CONFLICT (conversation_id) DO UPDATE SET words = excluded.words;
  END IF;
  RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER "messages_words" AFTER INSERT OR UPDATE OF "content", "status" ON "messages"
FOR EACH ROW WHEN (NEW."status" <> 'generating') EXECUTE FUNCTION index_message_words();

CREATE OR REPLACE TRIGGER "conversations_words" AFTER INSERT OR UPDATE OF "title" ON "conversations"
FOR EACH ROW EXECUTE FUNCTION index_title_words();
