-- Claims waiting items as claim_batch_items does, which processes of an earlier version call, for less: the plan of each
-- statement is made once for a connection, an item is read once, and the owners are found in one pass over an index. The
-- `max_concurrency` of a batch is not exceeded by its providers together.
--
-- Claims up to `p_slots` waiting items, evenly for up to half as many owners that come after `p_after` (by id), from their
-- oldest batches on. That is two items an owner, since most of the time goes into finding its batches. Owners without
-- access, batches that do not run, and items of the given providers are left out. `next_owner` is the owner to continue
-- after, null after the last one; without items there is a row with it alone.
--
-- The settings keep every plan on indexes, whenever it was made: see batch_function_plans.
CREATE FUNCTION claim_waiting_items(
  p_after uuid, p_slots int, p_owner_slots int, p_lanes text[], p_owners uuid[], p_lease uuid, p_lease_seconds int
) RETURNS TABLE (
  batch_id uuid, line int, user_id uuid, api_key_id uuid, endpoint text, request text, lane text, attempts int,
  next_owner uuid
)
LANGUAGE plpgsql SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_hashagg = off SET enable_memoize = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  owners uuid[];
  -- Number of items that each of the owners got in a round.
  counts int[];
  queued_ids uuid[] := '{}';
  the_next uuid;
  remaining int := p_slots;
  max_owners int := (p_slots + 1) / 2;
  share int;
  extra int;
  is_queued boolean;
  place int;
BEGIN
  -- One claim at a time: each counts the items that those before it have claimed, so that no limit is exceeded.
  PERFORM pg_advisory_xact_lock(hashtextextended('claim of batch items', 0));

  -- Reads all unfinished batches of these owners in the index. An account has few, so this costs less than a search in
  -- the index for each owner.
  SELECT
    array_agg(owner.id) FILTER (
      WHERE users.disabled_at IS NULL AND users.deletion_requested_at IS NULL AND owner.id <> ALL (p_owners)
    ),
    CASE WHEN count(*) = max_owners THEN max(owner.id::text COLLATE "C")::uuid END
  INTO owners, the_next
  FROM (
    SELECT DISTINCT user_id AS id FROM batches
    WHERE ended_at IS NULL AND user_id > p_after ORDER BY user_id LIMIT max_owners
  ) owner
  JOIN users ON users.id = owner.id;

  WHILE remaining > 0 AND cardinality(owners) > 0 LOOP
    -- One more for each of the first `extra` owners, so that everyone gets some and one round is usually enough.
    share := remaining / cardinality(owners);
    extra := remaining % cardinality(owners);
    counts := array_fill(0, ARRAY[cardinality(owners)]);
    FOR batch_id, line, user_id, api_key_id, endpoint, request, lane, attempts, next_owner, is_queued, place IN
      WITH picked AS MATERIALIZED (
        SELECT choice.*, owner.place
        FROM (
          SELECT id, place, share + (place <= extra)::int AS share
          FROM unnest(owners) WITH ORDINALITY AS given (id, place)
        ) owner
        CROSS JOIN LATERAL (
          SELECT batch.id AS batch_id, batch.api_key_id, batch.endpoint, batch.status, item.line
          FROM batches batch
          CROSS JOIN LATERAL (
            SELECT waiting.line
            FROM (SELECT unnest(batch.lanes) AS lane) provider
            CROSS JOIN LATERAL (
              SELECT line FROM batch_items
              WHERE batch_id = batch.id AND lane = provider.lane AND status = 'waiting'
              ORDER BY line
              LIMIT owner.share
              FOR UPDATE SKIP LOCKED
            ) waiting
            WHERE provider.lane <> ALL (p_lanes)
            LIMIT CASE WHEN batch.max_concurrency IS NULL THEN owner.share ELSE greatest(0, batch.max_concurrency - (
              SELECT count(*) FROM batch_items leased
              WHERE leased.user_id = owner.id AND leased.lease_until IS NOT NULL AND leased.batch_id = batch.id
            )) END
          ) item
          WHERE batch.user_id = owner.id AND batch.ended_at IS NULL AND batch.deleted_at IS NULL
            AND batch.status IN ('queued', 'running') AND batch.expires_at > now()
            -- Until the sweep cancels it.
            AND (batch.api_key_id IS NULL OR NOT coalesce((
              SELECT revoked_at IS NOT NULL OR expires_at <= now() FROM api_keys WHERE id = batch.api_key_id
            ), false))
          ORDER BY batch.id
          LIMIT greatest(0, least(owner.share, p_owner_slots - (
            SELECT count(*) FROM batch_items leased WHERE leased.user_id = owner.id AND leased.lease_until IS NOT NULL
          )))
        ) choice
        LIMIT remaining
      )
      UPDATE batch_items item
      SET status = 'running', attempts = item.attempts + 1, lease_id = p_lease,
        lease_until = now() + make_interval(secs => p_lease_seconds)
      FROM picked WHERE item.batch_id = picked.batch_id AND item.line = picked.line
      RETURNING item.batch_id, item.line, item.user_id, picked.api_key_id, picked.endpoint, item.request, item.lane,
        item.attempts, the_next, picked.status = 'queued', picked.place
    LOOP
      RETURN NEXT;
      remaining := remaining - 1;
      counts[place] := counts[place] + 1;
      IF is_queued AND batch_id <> ALL (queued_ids) THEN
        queued_ids := queued_ids || batch_id;
      END IF;
    END LOOP;
    IF remaining > 0 THEN
      SELECT array_agg(id ORDER BY place) INTO owners
      FROM unnest(owners, counts) WITH ORDINALITY AS served (id, count, place)
      WHERE count > 0 AND count >= share + (place <= extra)::int;
    END IF;
  END LOOP;

  IF cardinality(queued_ids) > 0 THEN
    UPDATE batches SET status = 'running', started_at = coalesce(started_at, now())
    WHERE id IN (
        SELECT id FROM batches WHERE id = ANY (queued_ids) AND status = 'queued' ORDER BY id FOR NO KEY UPDATE
      ) AND status = 'queued';
  END IF;

  -- Owners without items for now must not keep those after them from their turn.
  IF remaining = p_slots AND the_next IS NOT NULL THEN
    RETURN QUERY SELECT NULL::uuid, NULL::int, NULL::uuid, NULL::uuid, NULL::text, NULL::text, NULL::text, NULL::int,
      the_next;
  END IF;
END $$;
