-- CreateTable
CREATE TABLE "removed_folders" (
    "user_id" UUID NOT NULL,
    "removed_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "removed_folders_pkey" PRIMARY KEY ("user_id")
);

-- CreateIndex
CREATE INDEX "removed_folders_removed_at_idx" ON "removed_folders"("removed_at");

-- Remembers the folder of a deleted account in the transaction that deletes it, because an upload that began before may
-- store bytes there afterwards, and its process may be killed before it removes them.
CREATE FUNCTION remember_removed_folders() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO removed_folders (user_id) SELECT id FROM removed ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;

CREATE TRIGGER remember_removed_folders AFTER DELETE ON users
REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION remember_removed_folders();

-- Accounts that earlier versions have deleted.
INSERT INTO removed_folders (user_id)
SELECT DISTINCT user_id FROM audit_log
WHERE action = 'user.deleted' AND user_id IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM users WHERE users.id = audit_log.user_id)
ON CONFLICT DO NOTHING;
