-- CreateTable
CREATE TABLE "removed_contents" (
    "id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "removed_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "removed_contents_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "removed_contents_removed_at_idx" ON "removed_contents"("removed_at");

-- Remembers the bytes of deleted contents in the transaction that deletes them, whatever statement or cascade that is, so
-- that they are removed even if the process is killed between its commit and their removal.
CREATE FUNCTION remember_removed_contents() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO removed_contents (id, user_id) SELECT id, user_id FROM removed ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;

CREATE TRIGGER remember_removed_contents AFTER DELETE ON file_contents
REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION remember_removed_contents();
