-- CreateIndex
CREATE INDEX "ingestions_hidden_idx" ON "ingestions"("index_id") WHERE ("visible" = false);

-- Each search reads the whole list of entries that are not merged into the index yet, so it is kept short.
ALTER INDEX "chunk_terms_terms_idx" SET (gin_pending_list_limit = 256);
