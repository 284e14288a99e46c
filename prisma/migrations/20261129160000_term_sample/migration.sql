-- An index of one chunk in 128, by which searches estimate how many chunks have a term before they read them: the set of
-- chunks of a frequent term alone takes milliseconds. The random part of the id of the ingestion spreads the sample over
-- documents of one chunk. Not fastupdate: a search would read the list of entries that are not merged yet for each term.
CREATE INDEX "chunk_terms_sample_idx" ON "chunk_terms" USING GIN ("terms") WITH (fastupdate = off)
WHERE (((ordinal + get_byte(uuid_send(ingestion_id), 15)) % 128) = 0);
