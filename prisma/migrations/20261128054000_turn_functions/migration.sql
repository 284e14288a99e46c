-- A turn begins with one statement and ends with one, each a call of a function: one round trip in place of five or six,
-- and PostgreSQL keeps the plans of a function's statements for as long as a connection lives, without prepared statements,
-- which a pooler in front may not pass on. In PL/pgSQL, where each statement sees what was committed before it began: who
-- has waited for a lock sees what its holder did. The statements of one WITH would all see the moment before the wait.
--
-- Processes of several releases call these functions at the same time. A later migration never changes what one of them
-- takes, does or returns; it adds a function under another name.
--
-- The refusals have codes of their own, in a class that PostgreSQL leaves to applications:
-- PY001 duplicate request, PY002 no such conversation, PY003 an answer is being generated (the detail is its id),
-- PY004 no such file (the detail is its id).

-- Makes the path that ends with a message the active one; none if there is no message. Positions rise along a path, so
-- what leaves it is all that is active after the message where the paths part. The cost depends on what changes. The caller
-- holds the lock of the conversation.
CREATE FUNCTION activate_path(p_conversation uuid, p_message uuid) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  WITH RECURSIVE branch AS (
    SELECT id, parent_id, position, active FROM messages
    WHERE conversation_id = p_conversation AND id = p_message
    UNION ALL
    SELECT parent.id, parent.parent_id, parent.position, parent.active
    FROM branch JOIN messages parent ON parent.conversation_id = p_conversation AND parent.id = branch.parent_id
    WHERE NOT branch.active
  ), fork AS (
    SELECT coalesce(max(position), -1) AS position FROM branch WHERE active
  )
  UPDATE messages SET active = NOT active
  WHERE id IN (
    SELECT id FROM branch WHERE NOT active
    UNION ALL
    SELECT id FROM messages
    WHERE conversation_id = p_conversation AND active AND position > (SELECT position FROM fork)
  );
END $$;

-- Stores the new messages of a turn and its answer, which is being generated under a lease from then on.
-- A title makes a new conversation. `p_after_leaf` continues the active path, else the turn follows `p_after`.
CREATE FUNCTION begin_turn(
  p_user uuid, p_conversation uuid, p_title text, p_after_leaf boolean, p_after uuid, p_system_prompt text,
  p_compaction text, p_messages jsonb, p_answer uuid, p_lease_owner uuid, p_lease_seconds int, p_model text,
  p_options jsonb, p_claim uuid, p_route text, p_key text, p_fingerprint bytea, p_kept_hours int
) RETURNS TABLE (system_prompt text, compaction text, parent_id uuid)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
  the_claim uuid;
  the_position int := 0;
  the_leaf uuid;
  the_parent uuid;
  the_prompt text := p_system_prompt;
  the_compaction compaction := coalesce(p_compaction, 'none')::compaction;
  running uuid;
  missing uuid;
BEGIN
  -- Held until the commit: `find_begun_turn` waits for it, so that it never looks before a commit that is on its way.
  PERFORM pg_advisory_xact_lock(hashtextextended(p_answer::text, 0));

  -- Before everything else, so that a doubled request waits here and not at the conversation, where it would be a second
  -- turn. Of many that come at once the unique index lets one through.
  IF p_claim IS NOT NULL THEN
    INSERT INTO idempotency_keys AS known (id, user_id, route, key, fingerprint)
    VALUES (p_claim, p_user, p_route, p_key, p_fingerprint)
    ON CONFLICT (user_id, route, key) DO UPDATE
      SET fingerprint = excluded.fingerprint, message_id = NULL, created_at = now()
      WHERE known.created_at <= now() - make_interval(hours => p_kept_hours)
    RETURNING known.id INTO the_claim;
    IF the_claim IS NULL THEN
      RAISE EXCEPTION 'duplicate request' USING ERRCODE = 'PY001';
    END IF;
  END IF;

  IF p_title IS NOT NULL THEN
    INSERT INTO conversations (id, user_id, title, system_prompt, compaction)
    VALUES (p_conversation, p_user, p_title, the_prompt, the_compaction);
  ELSE
    -- The lock holds until the commit: of two turns that come at once the second waits here, then sees the answer of the
    -- first and is refused. The partial unique index on generating messages would refuse it even so.
    SELECT next_position, leaf_message_id, coalesce(p_system_prompt, known.system_prompt),
      coalesce(p_compaction::compaction, known.compaction)
    INTO the_position, the_leaf, the_prompt, the_compaction
    FROM conversations known WHERE known.id = p_conversation AND known.user_id = p_user
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'no such conversation' USING ERRCODE = 'PY002';
    END IF;
    SELECT id INTO running FROM messages WHERE conversation_id = p_conversation AND status = 'generating';
    IF FOUND THEN
      RAISE EXCEPTION 'an answer is being generated' USING ERRCODE = 'PY003', DETAIL = running;
    END IF;
    the_parent := CASE WHEN p_after_leaf THEN the_leaf ELSE p_after END;
    IF the_parent IS DISTINCT FROM the_leaf THEN
      PERFORM activate_path(p_conversation, the_parent);
    END IF;
  END IF;

  WITH said AS (
    SELECT id, lag(id) OVER (ORDER BY number) AS before, number, role, content, token_count, tool_call_id
    FROM ROWS FROM (
      jsonb_to_recordset(p_messages) AS (id uuid, role text, content text, token_count int, tool_call_id text)
    ) WITH ORDINALITY AS said (id, role, content, token_count, tool_call_id, number)
  ), question AS (
    INSERT INTO messages (id, conversation_id, user_id, parent_id, position, role, status, content, token_count, tool_call_id)
    SELECT id, p_conversation, p_user, coalesce(before, the_parent), the_position + number - 1, role::message_role, 'complete',
      content, token_count, tool_call_id
    FROM said
  )
  SELECT coalesce((SELECT id FROM said ORDER BY number DESC LIMIT 1), the_parent) INTO the_parent;
  IF the_parent IS NULL THEN
    RAISE EXCEPTION 'an answer must follow a message';
  END IF;
  the_position := the_position + jsonb_array_length(p_messages);

  -- The lease is counted by the clock of the database, which all processes share.
  INSERT INTO messages (id, conversation_id, user_id, parent_id, position, role, status, content, model, options, lease_owner, lease_until)
  VALUES (p_answer, p_conversation, p_user, the_parent, the_position, 'assistant', 'generating', '', p_model, p_options,
    p_lease_owner, now() + make_interval(secs => p_lease_seconds));

  -- FOR KEY SHARE waits for a deletion of one of the files that is under way, and does not find it then; a deletion that
  -- comes later waits for this commit.
  IF jsonb_path_exists(p_messages, '$[*].file_ids[0]') THEN
    INSERT INTO attachments (message_id, ordinal, user_id, file_id, name, media_type)
    SELECT (message->>'id')::uuid, asked.ordinal - 1, files.user_id, files.id, files.name, files.media_type
    FROM jsonb_array_elements(p_messages) AS message
    CROSS JOIN jsonb_array_elements_text(message->'file_ids') WITH ORDINALITY AS asked (id, ordinal)
    JOIN files ON files.id = asked.id::uuid AND files.user_id = p_user
    FOR KEY SHARE OF files;
    SELECT asked.id::uuid INTO missing
    FROM jsonb_array_elements(p_messages) AS message
    CROSS JOIN jsonb_array_elements_text(message->'file_ids') WITH ORDINALITY AS asked (id, ordinal)
    WHERE NOT EXISTS (
      SELECT 1 FROM attachments WHERE message_id = (message->>'id')::uuid AND attachments.ordinal = asked.ordinal - 1
    )
    LIMIT 1;
    IF FOUND THEN
      RAISE EXCEPTION 'no such file' USING ERRCODE = 'PY004', DETAIL = missing;
    END IF;
  END IF;

  UPDATE conversations
  SET next_position = the_position + 1, leaf_message_id = p_answer, system_prompt = the_prompt, compaction = the_compaction,
    updated_at = now()
  WHERE id = p_conversation;
  IF the_claim IS NOT NULL THEN
    UPDATE idempotency_keys SET message_id = p_answer WHERE id = the_claim;
  END IF;
  RETURN QUERY SELECT the_prompt, the_compaction::text, the_parent;
END $$;

-- The turn if it was stored although the reply to its commit was lost, with a new lease. The lock waits for a `begin_turn`
-- that still runs on the server; the statement after it sees what that one has committed.
CREATE FUNCTION find_begun_turn(p_answer uuid, p_lease_owner uuid, p_lease_seconds int)
RETURNS TABLE (conversation_id uuid, system_prompt text, compaction text, parent_id uuid)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_column
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(p_answer::text, 0));
  RETURN QUERY
    UPDATE messages SET lease_until = now() + make_interval(secs => p_lease_seconds)
    FROM conversations
    WHERE messages.id = p_answer AND messages.lease_owner = p_lease_owner AND messages.status = 'generating'
      AND conversations.id = messages.conversation_id
    RETURNING messages.conversation_id, conversations.system_prompt, conversations.compaction::text, messages.parent_id;
END $$;

-- The end of the path that leads to a message, followed from that message to its parents until the limits are reached, so
-- that it costs the same in a conversation of 10 messages and of 10,000.
CREATE FUNCTION context_path(
  p_user uuid, p_message uuid, p_after_position int, p_max_tokens int, p_max_messages int, p_tokens_per_message int
) RETURNS TABLE (
  id uuid, parent_id uuid, role text, content text, tool_calls jsonb, tool_call_id text, provider_data jsonb,
  token_count int, has_files boolean
)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
    WITH RECURSIVE path AS (
      SELECT messages.id, conversation_id, messages.parent_id, position, messages.role, messages.content,
        messages.tool_calls, messages.tool_call_id, messages.provider_data, messages.token_count,
        1 AS length, messages.token_count + p_tokens_per_message AS tokens
      FROM messages
      WHERE messages.id = p_message AND user_id = p_user
      UNION ALL
      SELECT parent.id, parent.conversation_id, parent.parent_id, parent.position, parent.role, parent.content,
        parent.tool_calls, parent.tool_call_id, parent.provider_data, parent.token_count,
        path.length + 1, path.tokens + parent.token_count + p_tokens_per_message
      FROM path
      JOIN messages parent ON parent.conversation_id = path.conversation_id AND parent.id = path.parent_id
      WHERE path.length < p_max_messages AND parent.position > p_after_position
        AND path.tokens + parent.token_count + p_tokens_per_message <= p_max_tokens
    )
    SELECT path.id, path.parent_id, path.role::text, path.content, path.tool_calls, path.tool_call_id, path.provider_data,
      path.token_count, EXISTS (SELECT 1 FROM attachments WHERE message_id = path.id)
    FROM path ORDER BY path.position;
END $$;

-- Writes attempts into the ledger, and returns by how much it has grown. An attempt that is there already stays as it is
-- (unique on call and attempt), so committing twice bills once; an estimate, though, gives way to what comes after it: a
-- sweep has made it, and the process that was thought dead knows better. The caller holds the lock of the conversation, so
-- that the ledger is still what it was when the sum is added to the totals.
CREATE FUNCTION commit_usage(p_call uuid, p_attempts jsonb)
RETURNS TABLE (tokens bigint, cost_micro_usd bigint, unpriced_attempts int)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
    -- The statement sees the ledger as it was before it, so that `before` has the rows which `written` replaces.
    WITH before AS (
      SELECT attempt, input_tokens + output_tokens AS tokens, usage_records.cost_micro_usd
      FROM usage_records WHERE call_id = p_call
    ), written AS (
      INSERT INTO usage_records (id, call_id, attempt, user_id, api_key_id, own_key, conversation_id, provider, model, outcome,
        input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, cost_micro_usd, estimated)
      SELECT id, call_id, attempt, user_id, api_key_id, own_key, conversation_id, provider, model, outcome,
        input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, cost_micro_usd, estimated
      FROM jsonb_to_recordset(p_attempts) AS entry (id uuid, call_id uuid, attempt int, user_id uuid, api_key_id uuid,
        own_key boolean, conversation_id uuid, provider text, model text, outcome text, input_tokens int, output_tokens int,
        cached_tokens int, cache_write_tokens int, reasoning_tokens int, cost_micro_usd bigint, estimated boolean)
      ON CONFLICT (call_id, attempt) DO UPDATE SET
        api_key_id = excluded.api_key_id, own_key = excluded.own_key, provider = excluded.provider, model = excluded.model,
        outcome = excluded.outcome, input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens,
        cached_tokens = excluded.cached_tokens, cache_write_tokens = excluded.cache_write_tokens,
        reasoning_tokens = excluded.reasoning_tokens, cost_micro_usd = excluded.cost_micro_usd, estimated = excluded.estimated
      WHERE usage_records.estimated
      RETURNING attempt, input_tokens + output_tokens AS tokens, usage_records.cost_micro_usd
    )
    SELECT coalesce(sum(written.tokens - coalesce(before.tokens, 0)), 0)::bigint,
      coalesce(sum(coalesce(written.cost_micro_usd, 0) - coalesce(before.cost_micro_usd, 0)), 0)::bigint,
      (count(*) FILTER (WHERE written.cost_micro_usd IS NULL)
        - count(*) FILTER (WHERE before.attempt IS NOT NULL AND before.cost_micro_usd IS NULL))::int
    FROM written LEFT JOIN before USING (attempt);
END $$;

-- Writes what an ended turn makes due, and returns the kinds that are. A chore that nobody has begun moves on to the newer
-- message; one that has been begun goes on as it is. A title is due only for the answer to a first question, and only
-- until one is found or given.
CREATE FUNCTION write_chores(p_conversation uuid, p_chores jsonb) RETURNS text[]
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  due text[];
BEGIN
  WITH written AS (
    INSERT INTO chores (conversation_id, kind, user_id, message_id)
    SELECT conversations.id, asked.kind::chore_kind, conversations.user_id, message.id
    FROM jsonb_to_recordset(p_chores) AS asked (kind text, message_id uuid)
    JOIN messages message ON message.conversation_id = p_conversation AND message.id = asked.message_id
    JOIN conversations ON conversations.id = message.conversation_id
    LEFT JOIN messages before ON before.conversation_id = message.conversation_id AND before.id = message.parent_id
    WHERE asked.kind <> 'title' OR (before.parent_id IS NULL AND conversations.titled_by = 'question')
    ON CONFLICT (conversation_id, kind) DO UPDATE SET message_id = excluded.message_id WHERE chores.tries = 0
    RETURNING kind
  )
  SELECT coalesce(array_agg(kind::text ORDER BY kind), '{}') INTO due FROM written;
  RETURN due;
END $$;

-- Ends a turn: answer, usage, the totals of the conversation and what it makes due together, or nothing of it. If the answer
-- is no longer ours only the usage is written, since it was used all the same. May run twice: the owner of the lease, who
-- stays in the row, finds a commit whose reply was lost. `p_answer_columns` has columns of `messages` under their names.
CREATE FUNCTION finish_turn(
  p_user uuid, p_conversation uuid, p_answer uuid, p_lease_owner uuid, p_content text, p_answer_columns jsonb,
  p_attempts jsonb, p_chores jsonb
) RETURNS TABLE (ours boolean, due text[])
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
  has_conversation boolean;
  is_ended boolean;
  the_columns messages;
  the_attempts jsonb := p_attempts;
  the_due text[] := '{}';
  grown record;
BEGIN
  -- Always before the row of a message or a chore: whatever locks both does it in this order, so that no two wait for
  -- each other.
  PERFORM 1 FROM conversations WHERE id = p_conversation FOR NO KEY UPDATE;
  has_conversation := FOUND;
  IF NOT has_conversation THEN
    -- With the account went everything, its usage too.
    PERFORM 1 FROM users WHERE id = p_user;
    IF NOT FOUND THEN
      RETURN QUERY SELECT false, the_due;
      RETURN;
    END IF;
    the_attempts := (
      SELECT coalesce(jsonb_agg(attempt || '{"conversation_id": null}'), '[]') FROM jsonb_array_elements(p_attempts) AS attempt
    );
  END IF;

  the_columns := jsonb_populate_record(NULL::messages, p_answer_columns);
  UPDATE messages SET
    content = p_content, status = the_columns.status, model = the_columns.model, token_count = the_columns.token_count,
    attempt = the_columns.attempt, tool_calls = the_columns.tool_calls, provider_data = the_columns.provider_data,
    -- A checkpoint has stored an estimate.
    input_tokens = coalesce(the_columns.input_tokens, messages.input_tokens), output_tokens = the_columns.output_tokens,
    cached_tokens = the_columns.cached_tokens, cache_write_tokens = the_columns.cache_write_tokens,
    reasoning_tokens = the_columns.reasoning_tokens, cost_micro_usd = the_columns.cost_micro_usd,
    finish_reason = the_columns.finish_reason, error_code = the_columns.error_code,
    error_message = the_columns.error_message, warning = the_columns.warning, cached = the_columns.cached,
    completed_at = the_columns.completed_at, lease_until = NULL
  -- The fence: a lease that a sweep has ended does not match any more.
  WHERE id = p_answer AND lease_owner = p_lease_owner AND status = 'generating';
  is_ended := FOUND;

  SELECT * INTO grown FROM commit_usage(p_answer, the_attempts);
  UPDATE conversations SET
    tokens_total = tokens_total + grown.tokens, cost_micro_usd = conversations.cost_micro_usd + grown.cost_micro_usd,
    unpriced_attempts = conversations.unpriced_attempts + grown.unpriced_attempts, updated_at = now()
  WHERE conversations.id = p_conversation;
  -- Not when it is found again: what was due then may be done already.
  IF is_ended AND p_chores <> '[]' THEN
    the_due := write_chores(p_conversation, p_chores);
  END IF;
  RETURN QUERY SELECT
    is_ended OR EXISTS (
      SELECT 1 FROM messages WHERE id = p_answer AND lease_owner = p_lease_owner AND status <> 'generating'
    ),
    the_due;
END $$;
