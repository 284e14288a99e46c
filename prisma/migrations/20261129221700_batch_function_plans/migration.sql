-- The functions of the batch worker keep their plans, which were often made while the tables were still small: each call
-- then read all items of a batch. Bitmap scans, unlike index scans, also pass over the entries of all earlier leases until
-- the next vacuum. Each of these functions touches some dozens of rows, all by an index.
ALTER FUNCTION claim_batch_items(uuid, int, int, text[], uuid[], uuid, int)
  SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off;

ALTER FUNCTION store_batch_results(jsonb, jsonb)
  SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off;

-- By its first column it seemed as good for finding one item as the primary key, and a plan from before there were items
-- may have read all items of a batch in it.
DROP INDEX "batch_items_batch_id_custom_id_key";
CREATE UNIQUE INDEX "batch_items_custom_id_batch_id_key" ON "batch_items"("custom_id", "batch_id");
