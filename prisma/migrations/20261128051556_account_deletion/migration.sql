-- AlterTable
ALTER TABLE "users" ADD COLUMN     "deletion_requested_at" TIMESTAMPTZ(3);

-- CreateIndex
CREATE INDEX "users_being_deleted_idx" ON "users"("deletion_requested_at") WHERE ("deletion_requested_at" IS NOT NULL);
