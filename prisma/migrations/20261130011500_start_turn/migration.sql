-- `begin_turn` under another name, which writes a new conversation and all messages of a turn in one statement. Processes of
-- an earlier version still call the former.

CREATE FUNCTION start_turn(
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
  message_count int := jsonb_array_length(p_messages);
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

  IF p_title IS NULL THEN
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

  -- One statement, at whose end the foreign keys are checked: a new conversation can name its last message from the
  -- beginning, and need not be written twice, with all entries of its indexes. The lease is counted by the clock of the
  -- database, which all processes share.
  WITH new_messages AS (
    SELECT id, coalesce(lag(id) OVER (ORDER BY number), the_parent) AS parent_id, number, role, content, token_count,
      tool_call_id
    FROM ROWS FROM (
      jsonb_to_recordset(p_messages) AS (id uuid, role text, content text, token_count int, tool_call_id text)
    ) WITH ORDINALITY AS message (id, role, content, token_count, tool_call_id, number)
  ), leaf AS (
    SELECT coalesce((SELECT id FROM new_messages ORDER BY number DESC LIMIT 1), the_parent) AS id
  ), new_conversation AS (
    INSERT INTO conversations (id, user_id, title, system_prompt, compaction, next_position, leaf_message_id)
    SELECT p_conversation, p_user, p_title, the_prompt, the_compaction, message_count + 1, p_answer
    FROM leaf WHERE p_title IS NOT NULL AND leaf.id IS NOT NULL
  ), stored_messages AS (
    INSERT INTO messages (id, conversation_id, user_id, parent_id, position, role, status, content, token_count, tool_call_id,
      model, options, lease_owner, lease_until)
    SELECT id, p_conversation, p_user, parent_id, the_position + number - 1, role::message_role, 'complete'::message_status,
      content, token_count, tool_call_id, NULL::text, NULL::jsonb, NULL::uuid, NULL::timestamptz
    FROM new_messages
    UNION ALL
    SELECT p_answer, p_conversation, p_user, id, the_position + message_count, 'assistant', 'generating', '', 0, NULL, p_model,
      p_options, p_lease_owner, now() + make_interval(secs => p_lease_seconds)
    FROM leaf WHERE id IS NOT NULL
  )
  SELECT id INTO the_parent FROM leaf;
  IF the_parent IS NULL THEN
    RAISE EXCEPTION 'an answer must follow a message';
  END IF;

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

  IF p_title IS NULL THEN
    UPDATE conversations
    SET next_position = the_position + message_count + 1, leaf_message_id = p_answer, system_prompt = the_prompt,
      compaction = the_compaction, updated_at = now()
    WHERE id = p_conversation;
  END IF;
  IF the_claim IS NOT NULL THEN
    UPDATE idempotency_keys SET message_id = p_answer WHERE id = the_claim;
  END IF;
  RETURN QUERY SELECT the_prompt, the_compaction::text, the_parent;
END $$;
