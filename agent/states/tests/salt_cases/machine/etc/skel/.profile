# from skel
