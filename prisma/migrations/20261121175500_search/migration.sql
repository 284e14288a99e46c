-- Search in titles and messages with what every PostgreSQL has: no extension, no configuration of text search.
--
-- A text is found by the words of its first 40,000 characters: in lower case, without diacritics, each cut to its first
-- 64 characters. A tsvector above 1 MB and an entry of an index above 2.7 KB are errors in PostgreSQL, and an error here
-- would lose a finished answer; with these bounds the worst text makes a vector of 0.96 MB. Chinese, Japanese and Korean
-- are found by pairs of neighbouring characters and by single ones: the first two have no spaces, and the positions that
-- a phrase needs would have to be looked up in the text of every row again.
--
-- Each word stands behind the last six digits of its owner's id. So the words of one owner lie side by side in the
-- index, and a search, that for a prefix too, never reads what others have written. Two owners with equal digits cost
-- each other some time and nothing else: every query filters by the owner as well.
--
-- The bodies are parsed here and now, so they mean the same under whatever search_path a backup is restored.

-- Words and runs of Chinese, Japanese and Korean characters, with spaces between them. What is no part of a word is
-- named by its ranges, because what regular expressions take for a letter depends on the locale of the database.
-- Hangul is put together again after the diacritics are gone. normalize() fails where the encoding is not UTF-8, and
-- takes time that grows with the square of how many marks stand in a row: hence the pieces.
CREATE FUNCTION search_normal_form(body text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN regexp_replace(
  regexp_replace(
    lower(regexp_replace(regexp_replace(regexp_replace(regexp_replace(
      CASE getdatabaseencoding() WHEN 'UTF8' THEN
        (
          SELECT left(coalesce(string_agg(
            normalize(
              regexp_replace(
                normalize(substr(head, piece, 256), NFKD),
                '[\u00AD\u0300-\u036F\u0483-\u0487\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7\u064B-\u065F\u1AB0-\u1AFF\u1DC0-\u1DFF\u200B-\u200D\u20D0-\u20FF\uFE00-\uFE0F\uFE20-\uFE2F]+',
                '', 'g'),
              NFC),
            '' ORDER BY piece), ''), 40000)
          FROM (SELECT left(body, 40000)) AS text (head), generate_series(1, length(head), 256) AS pieces (piece)
        )
      ELSE left(body, 40000) END,
      '[\u0110\u0111]', 'd', 'g'), '[\u0141\u0142]', 'l', 'g'), '[\u00D8\u00F8]', 'o', 'g'), '\u0131', 'i', 'g')),
    '[\u0001-\u002F\u003A-\u0040\u005B-\u0060\u007B-\u00BF\u00D7\u00F7\u2000-\u206F\u2190-\u2BFF\u2E00-\u2E7F\u3000-\u3004\u3008-\u3020\u3030\u303D\u30FB\uFE10-\uFE1F\uFE30-\uFE6F\uFF00-\uFF0F]+',
    ' ', 'g'),
  '([\u2E80-\u2FDF\u3005-\u3007\u3021-\u302F\u3031-\u303C\u3041-\u30FA\u30FC-\u318F\u31A0-\u4DBF\u4E00-\u9FFF\uA960-\uA97F\uAC00-\uD7FF\uF900-\uFAFF\U00016FE0-\U00018DFF\U0001AFF0-\U0001B16F\U00020000-\U0003FFFF]+)',
  ' \1 ', 'g');

-- The words of a normal form. Each run of characters that have no spaces is cut into pairs twice, from its first
-- character and from its second one.
CREATE FUNCTION search_words(form text) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN string_to_array(
  regexp_replace(
    regexp_replace(
      form,
      '([\u2E80-\u2FDF\u3005-\u3007\u3021-\u302F\u3031-\u303C\u3041-\u30FA\u30FC-\u318F\u31A0-\u4DBF\u4E00-\u9FFF\uA960-\uA97F\uAC00-\uD7FF\uF900-\uFAFF\U00016FE0-\U00018DFF\U0001AFF0-\U0001B16F\U00020000-\U0003FFFF])([\u2E80-\u2FDF\u3005-\u3007\u3021-\u302F\u3031-\u303C\u3041-\u30FA\u30FC-\u318F\u31A0-\u4DBF\u4E00-\u9FFF\uA960-\uA97F\uAC00-\uD7FF\uF900-\uFAFF\U00016FE0-\U00018DFF\U0001AFF0-\U0001B16F\U00020000-\U0003FFFF]+)',
      '\1 \2', 'g')
    || ' ' || form,
    '([\u2E80-\u2FDF\u3005-\u3007\u3021-\u302F\u3031-\u303C\u3041-\u30FA\u30FC-\u318F\u31A0-\u4DBF\u4E00-\u9FFF\uA960-\uA97F\uAC00-\uD7FF\uF900-\uFAFF\U00016FE0-\U00018DFF\U0001AFF0-\U0001B16F\U00020000-\U0003FFFF]{2})',
    '\1 ', 'g'),
  ' ');

-- What a text is found by. MATERIALIZED, or the normal form would be worked out for each of its uses. The
-- cost is what it takes, about a tenth of a millisecond, so that the planner does not do it for one row after another.
CREATE FUNCTION search_vector(owner uuid, body text) RETURNS tsvector
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 5000
RETURN (
  WITH normal AS MATERIALIZED (SELECT search_normal_form(body) AS form)
  SELECT array_to_tsvector(array_agg(right(owner::text, 6) || left(word, 64)))
  FROM normal,
    unnest(
      search_words(form) || string_to_array(
        regexp_replace(
          form,
          '([\u2E80-\u2FDF\u3005-\u3007\u3021-\u302F\u3031-\u303C\u3041-\u30FA\u30FC-\u318F\u31A0-\u4DBF\u4E00-\u9FFF\uA960-\uA97F\uAC00-\uD7FF\uF900-\uFAFF\U00016FE0-\U00018DFF\U0001AFF0-\U0001B16F\U00020000-\U0003FFFF])',
          '\1 ', 'g'),
        ' ')
    ) AS words (word)
  WHERE word <> ''
);

-- All the words of a text, the last of them as a prefix; null where there is no word in it. Nothing but words is left
-- of the text at that point; they are quoted all the same.
CREATE FUNCTION search_query(owner uuid, body text) RETURNS tsquery
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
  SELECT string_agg(
    DISTINCT '''' || replace(replace(right(owner::text, 6) || left(word, 64), '\', '\\'), '''', '''''') || ''''
      || CASE WHEN word = words[cardinality(words)] THEN ':*' ELSE '' END,
    ' & ')::tsquery
  FROM (SELECT array_remove(search_words(search_normal_form(body)), '')) AS found (words),
    unnest(words) AS each (word)
);

-- What is found stands beside the messages and conversations and not in an index of theirs: their rows are written again
-- whenever a branch becomes the active one or a turn begins, and each time such an index would have the words worked
-- out and entered anew. What else the search needs is copied, because it never changes.

CREATE TABLE "message_words" (
    "message_id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "conversation_id" UUID NOT NULL,
    "position" INTEGER NOT NULL,
    "words" tsvector NOT NULL,

    CONSTRAINT "message_words_pkey" PRIMARY KEY ("message_id")
);

CREATE TABLE "title_words" (
    "conversation_id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "words" tsvector NOT NULL,

    CONSTRAINT "title_words_pkey" PRIMARY KEY ("conversation_id")
);

ALTER TABLE "message_words" ADD CONSTRAINT "message_words_message_id_fkey" FOREIGN KEY ("message_id") REFERENCES "messages"("id") ON DELETE CASCADE ON UPDATE CASCADE;

ALTER TABLE "title_words" ADD CONSTRAINT "title_words_conversation_id_fkey" FOREIGN KEY ("conversation_id") REFERENCES "conversations"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- Triggers, so that no way of writing a message can forget them. A text without words has no row. The declared value
-- rather than the call in the statement itself: PostgreSQL keeps the plan of the one, and makes that of the other for
-- each row. The search_path is that of the migration, because the body is parsed when it first runs.
CREATE FUNCTION write_message_words() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  its_words tsvector := search_vector(NEW.user_id, NEW.content);
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

CREATE FUNCTION write_title_words() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  its_words tsvector := search_vector(NEW.user_id, NEW.title);
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

-- Not those that are being generated: their text changes each second.
CREATE TRIGGER "messages_words" AFTER INSERT OR UPDATE OF "content", "status" ON "messages"
FOR EACH ROW WHEN (NEW."status" <> 'generating') EXECUTE FUNCTION write_message_words();

CREATE TRIGGER "conversations_words" AFTER INSERT OR UPDATE OF "title" ON "conversations"
FOR EACH ROW EXECUTE FUNCTION write_title_words();

-- What was there before. The triggers' locks are held until the end, so nothing is written in between.
INSERT INTO "message_words" ("message_id", "user_id", "conversation_id", "position", "words")
SELECT "id", "user_id", "conversation_id", "position", "found"
FROM "messages" CROSS JOIN LATERAL (SELECT search_vector("user_id", "content") OFFSET 0) AS "vector" ("found")
WHERE "status" <> 'generating' AND "found" IS NOT NULL;

INSERT INTO "title_words" ("conversation_id", "user_id", "words")
SELECT "id", "user_id", "found"
FROM "conversations" CROSS JOIN LATERAL (SELECT search_vector("user_id", "title") OFFSET 0) AS "vector" ("found")
WHERE "found" IS NOT NULL;

CREATE INDEX "message_words_words_idx" ON "message_words" USING GIN ("words");

CREATE INDEX "title_words_words_idx" ON "title_words" USING GIN ("words");

-- Entered at once: a list of what is to be entered later is read by each search, and makes the planner shun the index.
ALTER INDEX "message_words_words_idx" SET (fastupdate = off);
ALTER INDEX "title_words_words_idx" SET (fastupdate = off);

-- Statistics of words would cost an ANALYZE the reading of thousands of texts. Without them a search counts as rare,
-- which is what makes the planner use the index.
ALTER TABLE "message_words" ALTER COLUMN "words" SET STATISTICS 0;
ALTER TABLE "title_words" ALTER COLUMN "words" SET STATISTICS 0;
