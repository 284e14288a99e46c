-- DropIndex
DROP INDEX "conversations_pinned_idx";

-- CreateIndex
CREATE INDEX "conversations_pinned_idx" ON "conversations"("user_id", "archived", "id" DESC) WHERE ("pinned" = true);
