-- CreateEnum
CREATE TYPE "batch_status" AS ENUM ('validating', 'queued', 'running', 'paused', 'finalizing', 'cancelling', 'completed', 'failed', 'cancelled', 'expired');

-- CreateEnum
CREATE TYPE "batch_item_status" AS ENUM ('waiting', 'running', 'completed', 'failed', 'cancelled', 'expired');

-- CreateTable
CREATE TABLE "batches" (
    "id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "api_key_id" UUID,
    "api" TEXT NOT NULL,
    "endpoint" TEXT NOT NULL,
    "status" "batch_status" NOT NULL,
    "end_status" "batch_status",
    "input_file_id" UUID,
    "output_file_id" UUID,
    "error_file_id" UUID,
    "output_expires_after_s" INTEGER,
    "defaults" JSONB,
    "metadata" JSONB,
    "max_concurrency" INTEGER,
    "lanes" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "total" INTEGER,
    "completed_count" INTEGER NOT NULL DEFAULT 0,
    "failed_count" INTEGER NOT NULL DEFAULT 0,
    "skipped_count" INTEGER NOT NULL DEFAULT 0,
    "input_tokens" BIGINT NOT NULL DEFAULT 0,
    "output_tokens" BIGINT NOT NULL DEFAULT 0,
    "cached_tokens" BIGINT NOT NULL DEFAULT 0,
    "reasoning_tokens" BIGINT NOT NULL DEFAULT 0,
    "cost_micro_usd" BIGINT NOT NULL DEFAULT 0,
    "unpriced_attempts" INTEGER NOT NULL DEFAULT 0,
    "errors" JSONB NOT NULL DEFAULT '[]',
    "pause_code" TEXT,
    "pause_message" TEXT,
    "resume_at" TIMESTAMPTZ(3),
    "due_at" TIMESTAMPTZ(3),
    "lease_id" UUID,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "idempotency_key" TEXT,
    "fingerprint" BYTEA,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "started_at" TIMESTAMPTZ(3),
    "finalizing_at" TIMESTAMPTZ(3),
    "cancelling_at" TIMESTAMPTZ(3),
    "ended_at" TIMESTAMPTZ(3),
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "batches_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "batch_items" (
    "batch_id" UUID NOT NULL,
    "line" INTEGER NOT NULL,
    "user_id" UUID NOT NULL,
    "custom_id" TEXT NOT NULL,
    "request" TEXT NOT NULL,
    "lane" TEXT NOT NULL,
    "status" "batch_item_status" NOT NULL DEFAULT 'waiting',
    "attempts" SMALLINT NOT NULL DEFAULT 0,
    "lease_id" UUID,
    "lease_until" TIMESTAMPTZ(3),
    "response_status" INTEGER,
    "request_id" TEXT,
    "response" TEXT,
    "error_code" TEXT,
    "error_message" TEXT,
    "input_tokens" INTEGER NOT NULL DEFAULT 0,
    "output_tokens" INTEGER NOT NULL DEFAULT 0,
    "cached_tokens" INTEGER NOT NULL DEFAULT 0,
    "reasoning_tokens" INTEGER NOT NULL DEFAULT 0,
    "cost_micro_usd" BIGINT NOT NULL DEFAULT 0,
    "unpriced_attempts" INTEGER NOT NULL DEFAULT 0,
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "batch_items_pkey" PRIMARY KEY ("batch_id","line")
);

-- CreateIndex
CREATE INDEX "batches_user_id_id_idx" ON "batches"("user_id", "id" DESC);

-- CreateIndex
CREATE INDEX "batches_active_idx" ON "batches"("user_id", "id") WHERE ("ended_at" IS NULL);

-- CreateIndex
CREATE INDEX "batches_due_idx" ON "batches"("due_at") WHERE ("due_at" IS NOT NULL);

-- CreateIndex
CREATE INDEX "batches_expiring_idx" ON "batches"("expires_at") WHERE ("ended_at" IS NULL);

-- CreateIndex
CREATE INDEX "batches_ended_idx" ON "batches"("ended_at") WHERE ("ended_at" IS NOT NULL);

-- CreateIndex
CREATE INDEX "batches_deleted_idx" ON "batches"("deleted_at") WHERE ("deleted_at" IS NOT NULL);

-- CreateIndex
CREATE UNIQUE INDEX "batches_user_id_api_idempotency_key_key" ON "batches"("user_id", "api", "idempotency_key");

-- CreateIndex
CREATE INDEX "batch_items_waiting_idx" ON "batch_items"("batch_id", "lane", "line") WHERE ("status" = 'waiting');

-- CreateIndex
CREATE INDEX "batch_items_leased_idx" ON "batch_items"("lease_until") WHERE ("lease_until" IS NOT NULL);

-- CreateIndex
CREATE INDEX "batch_items_user_leased_idx" ON "batch_items"("user_id", "lease_until") WHERE ("lease_until" IS NOT NULL);

-- CreateIndex
CREATE UNIQUE INDEX "batch_items_batch_id_custom_id_key" ON "batch_items"("batch_id", "custom_id");

-- AddForeignKey
ALTER TABLE "batches" ADD CONSTRAINT "batches_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "batch_items" ADD CONSTRAINT "batch_items_batch_id_fkey" FOREIGN KEY ("batch_id") REFERENCES "batches"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- Functions of the batch worker, each one round trip. In PL/pgSQL, where each statement sees what was committed before it
-- began: who has waited for a lock sees what its holder did. A later migration never changes what one of them takes, does
-- or returns; it adds a function under another name.
--
-- All of them, and all other writers, lock the rows of items before the row of their batch, and batches in the order of
-- their ids, so that no two of them wait for each other.

-- Claims up to `p_slots` waiting items, evenly for up to as many owners that come after `p_after` (by id), from their
-- oldest batches on. Owners without access, batches that do not run, and items of the given providers are left out.
-- `next_owner` is the owner to continue after, null after the last one; without items there is a row with it alone.
CREATE FUNCTION claim_batch_items(
  p_after uuid, p_slots int, p_owner_slots int, p_lanes text[], p_owners uuid[], p_lease uuid, p_lease_seconds int
) RETURNS TABLE (
  batch_id uuid, line int, user_id uuid, api_key_id uuid, endpoint text, request text, lane text, attempts int,
  next_owner uuid
)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
  owners uuid[];
  the_next uuid;
  batch_ids uuid[] := '{}';
  lines int[] := '{}';
  claimed_ids uuid[];
  claimed_lines int[];
  remaining int := p_slots;
  share int;
BEGIN
  -- One claim at a time: each counts the items that those before it have claimed, so that no limit is exceeded.
  PERFORM pg_advisory_xact_lock(hashtextextended('claim of batch items', 0));

  WITH RECURSIVE owner AS (
    (SELECT user_id, 1 AS position FROM batches
     WHERE ended_at IS NULL AND user_id > p_after ORDER BY user_id LIMIT 1)
    UNION ALL
    SELECT follower.user_id, owner.position + 1
    FROM owner CROSS JOIN LATERAL (
      SELECT user_id FROM batches
      WHERE ended_at IS NULL AND user_id > owner.user_id ORDER BY user_id LIMIT 1
    ) follower
    WHERE owner.position < p_slots
  )
  SELECT array_agg(user_id), CASE WHEN count(*) = p_slots THEN max(user_id::text)::uuid END
  INTO owners, the_next FROM owner;

  SELECT array_agg(id) INTO owners FROM users
  WHERE id = ANY (owners) AND disabled_at IS NULL AND deletion_requested_at IS NULL AND id <> ALL (p_owners);

  WHILE remaining > 0 AND cardinality(owners) > 0 LOOP
    share := greatest(1, remaining / cardinality(owners));
    WITH picked AS (
      SELECT choice.batch_id, choice.line, owner.id AS user_id
      FROM unnest(owners) AS owner (id)
      CROSS JOIN LATERAL (
        SELECT batch.id AS batch_id, item.line
        FROM batches batch
        CROSS JOIN LATERAL unnest(batch.lanes) AS provider (lane)
        CROSS JOIN LATERAL (
          SELECT waiting.line FROM batch_items waiting
          WHERE waiting.batch_id = batch.id AND waiting.lane = provider.lane AND waiting.status = 'waiting'
          ORDER BY waiting.line
          LIMIT greatest(0, least(share, coalesce(batch.max_concurrency - (
            SELECT count(*) FROM batch_items leased
            WHERE leased.user_id = owner.id AND leased.lease_until IS NOT NULL AND leased.batch_id = batch.id
          ), share)))
          FOR UPDATE SKIP LOCKED
        ) item
        WHERE batch.user_id = owner.id AND batch.ended_at IS NULL AND batch.deleted_at IS NULL
          AND batch.status IN ('queued', 'running') AND batch.expires_at > now() AND provider.lane <> ALL (p_lanes)
          -- Until the sweep cancels it.
          AND NOT EXISTS (
            SELECT 1 FROM api_keys
            WHERE id = batch.api_key_id AND (revoked_at IS NOT NULL OR expires_at <= now())
          )
        ORDER BY batch.id
        LIMIT greatest(0, least(share, p_owner_slots - (
          SELECT count(*) FROM batch_items leased WHERE leased.user_id = owner.id AND leased.lease_until IS NOT NULL
        )))
      ) choice
      LIMIT remaining
    ), claimed AS (
      UPDATE batch_items item
      SET status = 'running', attempts = item.attempts + 1, lease_id = p_lease,
        lease_until = now() + make_interval(secs => p_lease_seconds)
      FROM picked WHERE item.batch_id = picked.batch_id AND item.line = picked.line
      RETURNING item.batch_id, item.line, item.user_id
    )
    SELECT array_agg(batch_id), array_agg(line),
      (SELECT array_agg(user_id) FROM (
        SELECT user_id FROM claimed GROUP BY user_id HAVING count(*) >= share
      ) served)
    INTO claimed_ids, claimed_lines, owners FROM claimed;
    batch_ids := batch_ids || coalesce(claimed_ids, '{}');
    lines := lines || coalesce(claimed_lines, '{}');
    remaining := p_slots - cardinality(lines);
  END LOOP;

  UPDATE batches SET status = 'running', started_at = coalesce(started_at, now())
  WHERE id IN (SELECT id FROM batches WHERE id = ANY (batch_ids) AND status = 'queued' ORDER BY id FOR NO KEY UPDATE)
    AND status = 'queued';

  RETURN QUERY
  SELECT item.batch_id, item.line, item.user_id, batch.api_key_id, batch.endpoint, item.request, item.lane,
    item.attempts::int, the_next
  FROM unnest(batch_ids, lines) AS claimed (batch_id, line)
  JOIN batch_items item ON item.batch_id = claimed.batch_id AND item.line = claimed.line
  JOIN batches batch ON batch.id = item.batch_id
  ORDER BY item.batch_id, item.line;
  -- Owners without items for now must not keep those after them from their turn.
  IF cardinality(lines) = 0 AND the_next IS NOT NULL THEN
    RETURN QUERY SELECT NULL::uuid, NULL::int, NULL::uuid, NULL::uuid, NULL::text, NULL::text, NULL::text, NULL::int,
      the_next;
  END IF;
END $$;

-- Stores the ends of attempts at items, and the usage of all of their calls. An end counts only if the item is still held
-- under its lease; usage counts in any case, and once. Returns the items whose end counted, and the batches whose last
-- item has ended thereby.
--   p_ends: a list of {batch_id, line, lease_id, status, given_back, response_status, request_id, response, error_code,
--     error_message}; `waiting` is the status of an item that is to be attempted again, and `given_back` means that the
--     attempt did not count.
--   p_usage: a list of the columns of the ledger, with the batch_id and line of the item.
CREATE FUNCTION store_batch_results(p_ends jsonb, p_usage jsonb)
RETURNS TABLE (batch_id uuid, line int, is_last boolean)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
  used jsonb;
  ended jsonb;
BEGIN
  PERFORM 1 FROM batch_items item
  JOIN (
    SELECT batch_id, line FROM jsonb_to_recordset(p_ends) AS ending (batch_id uuid, line int)
    UNION
    SELECT batch_id, line FROM jsonb_to_recordset(p_usage) AS entry (batch_id uuid, line int)
  ) changed ON changed.batch_id = item.batch_id AND changed.line = item.line
  ORDER BY item.batch_id, item.line
  FOR NO KEY UPDATE OF item;

  WITH entry AS (
    SELECT * FROM jsonb_to_recordset(p_usage) AS entry (
      batch_id uuid, line int, id uuid, call_id uuid, attempt int, user_id uuid, api_key_id uuid, own_key boolean,
      conversation_id uuid, provider text, model text, outcome text, input_tokens int, output_tokens int,
      cached_tokens int, cache_write_tokens int, reasoning_tokens int, cost_micro_usd bigint, estimated boolean)
  ), account AS (
    -- An account that is being deleted waits for this lock, or is gone already.
    SELECT id FROM users WHERE id IN (SELECT user_id FROM entry) ORDER BY id FOR KEY SHARE
  ), recorded AS (
    INSERT INTO usage_records (id, call_id, attempt, user_id, api_key_id, own_key, conversation_id, provider, model,
      outcome, input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, cost_micro_usd, estimated)
    SELECT entry.id, call_id, attempt, user_id, api_key_id, own_key, NULL, provider, model, outcome, input_tokens,
      output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, cost_micro_usd, estimated
    FROM entry JOIN account ON account.id = entry.user_id
    ON CONFLICT (call_id, attempt) DO NOTHING
    RETURNING call_id, attempt, input_tokens, output_tokens, cached_tokens, reasoning_tokens, cost_micro_usd
  )
  SELECT jsonb_agg(totals) INTO used FROM (
    SELECT entry.batch_id, entry.line, sum(recorded.input_tokens) AS input_tokens,
      sum(recorded.output_tokens) AS output_tokens, sum(recorded.cached_tokens) AS cached_tokens,
      sum(recorded.reasoning_tokens) AS reasoning_tokens, coalesce(sum(recorded.cost_micro_usd), 0) AS cost_micro_usd,
      count(*) FILTER (WHERE recorded.cost_micro_usd IS NULL) AS unpriced_attempts
    FROM recorded JOIN entry ON entry.call_id = recorded.call_id AND entry.attempt = recorded.attempt
    GROUP BY entry.batch_id, entry.line
  ) totals;

  WITH ending AS (
    SELECT * FROM jsonb_to_recordset(p_ends) AS ending (
      batch_id uuid, line int, lease_id uuid, status batch_item_status, given_back boolean, response_status int,
      request_id text, response text, error_code text, error_message text)
  ), held AS (
    UPDATE batch_items item
    SET status = ending.status, lease_id = NULL, lease_until = NULL,
      attempts = item.attempts - CASE WHEN ending.given_back THEN 1 ELSE 0 END,
      response_status = ending.response_status, request_id = ending.request_id, response = ending.response,
      error_code = ending.error_code, error_message = ending.error_message,
      ended_at = CASE WHEN ending.status = 'waiting' THEN NULL ELSE now() END
    FROM ending
    WHERE item.batch_id = ending.batch_id AND item.line = ending.line AND item.lease_id = ending.lease_id
    RETURNING item.batch_id, item.line, item.status
  )
  SELECT jsonb_agg(held) INTO ended FROM held;

  UPDATE batch_items item
  SET input_tokens = item.input_tokens + spent.input_tokens, output_tokens = item.output_tokens + spent.output_tokens,
    cached_tokens = item.cached_tokens + spent.cached_tokens,
    reasoning_tokens = item.reasoning_tokens + spent.reasoning_tokens,
    cost_micro_usd = item.cost_micro_usd + spent.cost_micro_usd,
    unpriced_attempts = item.unpriced_attempts + spent.unpriced_attempts
  FROM jsonb_to_recordset(used) AS spent (
    batch_id uuid, line int, input_tokens int, output_tokens int, cached_tokens int, reasoning_tokens int,
    cost_micro_usd bigint, unpriced_attempts int)
  WHERE item.batch_id = spent.batch_id AND item.line = spent.line;

  PERFORM 1 FROM batches
  WHERE id IN (
    SELECT batch_id FROM jsonb_to_recordset(ended) AS item (batch_id uuid)
    UNION
    SELECT batch_id FROM jsonb_to_recordset(used) AS spent (batch_id uuid)
  )
  ORDER BY id FOR NO KEY UPDATE;

  RETURN QUERY
  WITH item AS (
    SELECT * FROM jsonb_to_recordset(ended) AS item (batch_id uuid, line int, status batch_item_status)
  ), change AS (
    SELECT batch_id, sum(completed) AS completed, sum(failed) AS failed, sum(input_tokens) AS input_tokens,
      sum(output_tokens) AS output_tokens, sum(cached_tokens) AS cached_tokens,
      sum(reasoning_tokens) AS reasoning_tokens, sum(cost_micro_usd) AS cost_micro_usd,
      sum(unpriced_attempts) AS unpriced_attempts
    FROM (
      SELECT batch_id, (status = 'completed')::int AS completed, (status = 'failed')::int AS failed, 0 AS input_tokens,
        0 AS output_tokens, 0 AS cached_tokens, 0 AS reasoning_tokens, 0 AS cost_micro_usd, 0 AS unpriced_attempts
      FROM item
      UNION ALL
      SELECT batch_id, 0, 0, input_tokens, output_tokens, cached_tokens, reasoning_tokens, cost_micro_usd,
        unpriced_attempts
      FROM jsonb_to_recordset(used) AS spent (
        batch_id uuid, input_tokens int, output_tokens int, cached_tokens int, reasoning_tokens int,
        cost_micro_usd bigint, unpriced_attempts int)
    ) part
    GROUP BY batch_id
  ), counted AS (
    UPDATE batches batch
    SET completed_count = batch.completed_count + change.completed, failed_count = batch.failed_count + change.failed,
      input_tokens = batch.input_tokens + change.input_tokens, output_tokens = batch.output_tokens + change.output_tokens,
      cached_tokens = batch.cached_tokens + change.cached_tokens,
      reasoning_tokens = batch.reasoning_tokens + change.reasoning_tokens,
      cost_micro_usd = batch.cost_micro_usd + change.cost_micro_usd,
      unpriced_attempts = batch.unpriced_attempts + change.unpriced_attempts
    FROM change WHERE batch.id = change.batch_id
    RETURNING batch.id, batch.status IN ('queued', 'running', 'paused')
      AND batch.completed_count + batch.failed_count + batch.skipped_count = batch.total AS is_last
  )
  SELECT item.batch_id, item.line, coalesce(counted.is_last, false)
  FROM item LEFT JOIN counted ON counted.id = item.batch_id;

  -- In the same transaction: a batch without unfinished items never waits for anybody to notice.
  UPDATE batches SET status = 'finalizing', end_status = 'completed', finalizing_at = now(), due_at = now(), attempts = 0,
    lease_id = NULL, pause_code = NULL, pause_message = NULL, resume_at = NULL
  WHERE id IN (SELECT batch_id FROM jsonb_to_recordset(ended) AS item (batch_id uuid))
    AND status IN ('queued', 'running', 'paused') AND completed_count + failed_count + skipped_count = total;
END $$;
