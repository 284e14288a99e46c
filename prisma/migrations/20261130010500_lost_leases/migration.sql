-- Processes that died at an item, apart from the attempts that failed because of it.
ALTER TABLE "batch_items" ADD COLUMN     "lost_leases" SMALLINT NOT NULL DEFAULT 0;
