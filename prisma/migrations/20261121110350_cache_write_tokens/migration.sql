-- AlterTable
ALTER TABLE "messages" ADD COLUMN     "cache_write_tokens" INTEGER;

-- AlterTable
ALTER TABLE "usage_records" ADD COLUMN     "cache_write_tokens" INTEGER NOT NULL DEFAULT 0;
