-- Hides ingestions and deletes up to `p_limit` of their chunks, the last ones first, so that any number of them can be
-- deleted in batches. A process that works on one of them loses its claim.
-- Returns the number of deleted chunks. The ingestions whose chunked_count is 0 afterwards have none left.
CREATE FUNCTION shrink_ingestions(p_ids uuid[], p_limit int) RETURNS int
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  v_left int := p_limit;
  v_ingestion record;
  v_first int;
BEGIN
  -- Locked in the order of their ids. A process that is storing chunks has locked its ingestion: this waits for its
  -- commit, and the count includes its chunks.
  FOR v_ingestion IN
    SELECT id, chunked_count FROM ingestions WHERE id = ANY(p_ids) ORDER BY id FOR UPDATE
  LOOP
    v_first := greatest(0, v_ingestion.chunked_count - v_left);
    IF v_first < v_ingestion.chunked_count THEN
      DELETE FROM chunk_signs WHERE ingestion_id = v_ingestion.id AND ordinal >= v_first;
      DELETE FROM chunk_embeddings WHERE ingestion_id = v_ingestion.id AND ordinal >= v_first;
      DELETE FROM chunk_terms WHERE ingestion_id = v_ingestion.id AND ordinal >= v_first;
      DELETE FROM chunks WHERE ingestion_id = v_ingestion.id AND ordinal >= v_first;
      v_left := v_left - (v_ingestion.chunked_count - v_first);
    END IF;
    UPDATE ingestions
    SET visible = FALSE, status = 'cancelled', due_at = NULL, lease_id = NULL, chunk_count = NULL,
      chunked_count = v_first, embedded_count = least(embedded_count, v_first)
    WHERE id = v_ingestion.id;
  END LOOP;
  RETURN p_limit - v_left;
END $$;
