-- AlterTable
ALTER TABLE "users" ADD COLUMN     "cache_generation" INTEGER NOT NULL DEFAULT 0;
