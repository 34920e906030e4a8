// What is asked of the disk, logged as actions.hpp says, in the words of proptests/models/group_commit.pml.
// in      calls that name a message, by the octets of its file, or a folder; errno of the call. A call that the model has no
//         word for is passed over
// out     "disk link MESSAGE FOLDER ERROR", "sync-file", "sync-folder", "unlink", "make", "look FOLDER MARKED ERROR", "unmark"
#pragma once

#include "simulate/disk.hpp"

namespace postern::simulate {

void log_link(const Disk& disk, int file, int folder, int error);
void log_sync(const Disk& disk, int number, int error);
// Before the call: afterwards the file is not there.
void log_unlink(const Disk& disk, int folder, std::string_view path);
// Whether new/ has the mark of lib/deliver/maildir/folders.hpp; the mark is removed.
void log_look(const Disk& disk, int number, int error);
void log_unmark(const Disk& disk, int number, int error);
void log_make(const char* path, int error);

}  // namespace postern::simulate
